package main

import (
	"github.com/spf13/cobra"

	"github.com/fmimg/fmimg/compare"
	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/pipeline"
)

// flagValues returns the values that the shell offers for flags. A key is the name of a flag, for
// all commands, or the name of a command and that of its flag. Paths are left to the shell.
func flagValues() map[string][]string {
	data := []string{}
	for _, known := range dataset.List() {
		data = append(data, known.Name+"\t"+known.Description)
	}
	m := pipeline.ThisMachine()
	return map[string][]string{
		"data":           data,
		"compare --data": compare.Names(),
		"against":        data,
		"preset":         {"tiny\tfor tests", "base\t1.2 million parameters of a U-Net", "large\t6.9 million parameters of a U-Net"},
		"isa":            m.ISAs,
		"precision":      {"auto\tthe fastest on the instruction set", "f32", "bf16\thalf as many bytes"},
		"solver": {"euler\tfixed steps, order 1", "midpoint\tfixed steps, order 2", "heun\tfixed steps, order 2", "rk4\tfixed steps, order 4", "abm2\tfixed steps of one evaluation, order 2, corrected", "adams2\tfixed steps of one evaluation, order 2", "dopri5\tadaptive steps, order 5",
			"ddim\tfixed steps along the path, order 1", "ddpm\tthe same with fresh noise", "sde\tthe same with as much fresh noise as --noise-level says"},
		"teacher-solver": {"euler\torder 1", "midpoint\torder 2", "heun\torder 2", "rk4\torder 4", "adams2\torder 2", "abm2\torder 2"},
		"path":           {"linear", "linear-power(2)", "cosine", "vp"},
		"objective":      {"velocity", "noise", "data", "nf\ta normalizing flow, by its likelihood"},
		"loss-weight":    {"velocity", "noise", "data"},
		"optimizer":      {"adamw", "muon", "normuon"},
		"coupling":       {"independent", "ot"},
		"decay":          {"cosine", "linear", "constant"},
		"conditional":    {"auto", "yes", "no"},
		"time-dist":      {"uniform", "logit-normal", "curriculum"},
		"class":          {"none"},
		"fit":            {"crop\tthe middle of each picture", "pad\tall of it, with borders", "stretch\tall of it, in other proportions"},
		"image-channels": {"auto", "gray", "gray-alpha\tgray with transparency", "rgb", "rgba\tcolours with transparency"},
		"labels":         {"folders", "none", "clusters:32\tpictures that look alike"},
		"kind":           {"residual\tblocks and norms", "pooled\tmax-pooling and a fully connected layer", "deep\tfour levels of blocks"},
		"judges":         {"classifier", "pooled\tanother shape and augmentation", "self-supervised\ttrained without labels", "random\tweights that were never trained"},
		"method":         {"resample", "gradient"},
		"mask":           {"lower", "upper", "left", "right"},
		"model":          {"mnist\tpart of the program", "mnist-fast\tpart of the program, draws in 1, 2 or 4 evaluations", "emoji\tpart of the program, pictures in colour"},
		"init":           {"none\tdrawn weights", "emoji\tpart of the program, pictures in colour", "mnist\tpart of the program"},
	}
}

// pathFlags are the flags that take files or folders.
var pathFlags = map[string]bool{
	"data": true, "labels": true, "out": true, "model": true, "in": true, "init": true, "schedule": true, "chart": true, "images": true, "classifier": true, "against": true, "mask": true, "scores": true,
}

// completeFlags tells the shell's completion which values flags take: those of a command, and those
// of the commands below it.
func completeFlags(cmd *cobra.Command) {
	values := flagValues()
	for name, words := range values {
		if cmd.Flags().Lookup(name) == nil {
			continue
		}
		if own := values[cmd.Name()+" --"+name]; own != nil {
			words = own
		}
		directive := cobra.ShellCompDirectiveNoFileComp
		if pathFlags[name] {
			directive = cobra.ShellCompDirectiveDefault
		}
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, directive)); err != nil {
			panic(err) // the flag exists, and is registered once
		}
	}
	for _, sub := range cmd.Commands() {
		completeFlags(sub)
	}
}

// strictCompletion makes cobra's completion command refuse a shell that it does not know.
func strictCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.Args = knownCommand
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}
