package tabular

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/fmimg/fmimg/internal/text"
)

// always are spellings of a missing value that are no class of pictures, in lower case: those that
// pandas and spreadsheets write and read.
var always = []string{
	"nan", "-nan", "+nan", "<na>", "n/a", "#n/a", "#na", "#n/a n/a", "null", "(null)", "<null>", "\\n",
	"1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan",
}

// Missing returns the labels that stand for a missing one, of those that counts has with their
// rows. An empty label is not among them. A few spellings may be the name of a class too, and are
// one where the other labels are spelled alike:
//
//   - None, as Python writes it, where no other label begins with a capital,
//   - none and na where all others are numbers,
//   - NA unless all others are two capitals, such as the codes of countries,
//   - "-" and "?" unless another is a sign.
func Missing(counts map[string]int) map[string]bool {
	missing := map[string]bool{}
	var others, doubtful []string
	for label := range counts {
		switch spelled := strings.TrimSpace(label); {
		case spelled == "":
		case slices.Contains(always, strings.ToLower(spelled)):
			missing[label] = true
		case slices.Contains([]string{"None", "none", "na", "NA", "-", "--", "?"}, spelled):
			doubtful = append(doubtful, label)
		default:
			others = append(others, spelled)
		}
	}
	for _, label := range doubtful {
		if standsForNone(strings.TrimSpace(label), others) {
			missing[label] = true
		}
	}
	return missing
}

// standsForNone reports whether a doubtful spelling means that a label is missing, beside the
// others.
func standsForNone(label string, others []string) bool {
	some := func(is func(string) bool) bool { return slices.ContainsFunc(others, is) }
	switch label {
	case "None":
		return len(others) > 0 && !some(func(s string) bool { return unicode.IsUpper([]rune(s)[0]) })
	case "none", "na":
		return len(others) > 0 && !some(func(s string) bool { return !number(s) })
	case "NA":
		return len(others) == 0 || some(func(s string) bool { return !twoCapitals(s) })
	}
	return !some(sign)
}

func number(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func twoCapitals(s string) bool {
	return len(s) == 2 && strings.ToUpper(s) == s && strings.ToLower(s) != s
}

// sign reports whether a label is one sign, as sets of characters have them.
func sign(s string) bool {
	r := []rune(s)
	return len(r) == 1 && !unicode.IsLetter(r[0]) && !unicode.IsDigit(r[0])
}

// MissingNote says how labels were spelled that are missing, with their rows: "nan (3), N/A (1)".
// It is empty where there are none.
func MissingNote(missing map[string]bool, counts map[string]int) string {
	if len(missing) == 0 {
		return ""
	}
	return "counted as without a label: " + list(slices.SortedFunc(maps.Keys(missing), text.CompareNatural), counts)
}
