package runs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fmimg/fmimg/dataset"
	"github.com/fmimg/fmimg/internal/text"
	"github.com/fmimg/fmimg/serve/problem"
)

// A Data is what can be trained on.
type Data struct {
	Name  string `json:"name"`
	About string `json:"about"`

	path string // as package train takes it
}

// Data lists the known data sets that are on this machine, and the entries of the folder of data.
// Links are left out, as they may lead out of the folder.
func (s *Service) Data() ([]Data, error) {
	var all []Data
	known := map[string]bool{}
	for _, info := range dataset.List() {
		if info.Found != "" {
			all = append(all, Data{info.Name, info.Description, info.Name})
		}
		known[info.Name] = true
	}
	if s.options.Data == "" {
		return all, nil
	}
	entries, err := os.ReadDir(s.options.Data)
	if err != nil {
		return all, fmt.Errorf("list the data: %w", err)
	}
	for _, e := range entries {
		if !isEntry(e.Name()) || !(e.IsDir() || e.Type().IsRegular()) {
			continue
		}
		d := Data{Name: e.Name(), About: aboutEntry(e), path: asPath(filepath.Join(s.options.Data, e.Name()))}
		if known[d.Name] {
			d.Name = "./" + d.Name
		}
		all = append(all, d)
	}
	return all, nil
}

// aboutEntry describes an entry of the folder of data.
func aboutEntry(e os.DirEntry) string {
	if e.IsDir() {
		return "folder"
	}
	info, err := e.Info()
	if err != nil {
		return "file"
	}
	return "file of " + text.Bytes(float64(info.Size()))
}

// findData returns the data of a name that [Service.Data] lists.
func (s *Service) findData(name string) (Data, error) {
	if name == "" {
		return Data{}, problem.BadField("data", " is needed: name a data set, such as mnist")
	}
	all, err := s.Data()
	if err != nil {
		return Data{}, err
	}
	names := make([]string, len(all))
	for i, d := range all {
		if d.Name == name {
			return d, nil
		}
		names[i] = d.Name
	}
	const most = 12
	more := ""
	if len(names) > most {
		names, more = names[:most], ", …"
	}
	return Data{}, problem.BadField("data", " %q: there is none of this name: choose one of %s%s",
		name, strings.Join(names, ", "), more)
}
