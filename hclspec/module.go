package hclspec

import "github.com/zclconf/go-cty/cty"

// Module is what the files of one directory declare and refer to by name:
// variables, locals, resources, outputs and checks. It knows nothing of
// credentials, files and the command line; those are Root's.
type Module struct {
	*language
	variables map[string]*variable
	locals    map[string]*local
	resources map[string]*resource // by block address
	outputs   map[string]*output
	checks    map[string]*check
	// misnamed are the resource blocks of types that there are not.
	misnamed map[string]bool
	moves    []move
	removals []removal
}

// nameOf is a name as it is compared: normalised as HCL's values are (NFC), so
// that an accent may be written as a character of its own.
func nameOf(text string) string { return cty.NormalizeString(text) }

func newModule(l *language) *Module {
	return &Module{
		language:  l,
		variables: map[string]*variable{},
		locals:    map[string]*local{},
		resources: map[string]*resource{},
		outputs:   map[string]*output{},
		checks:    map[string]*check{},
		misnamed:  map[string]bool{},
	}
}
