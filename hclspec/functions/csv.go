package functions

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// csvDecodeFunc is csvdecode: RFC 4180 with a header line into a list of
// objects of strings. A byte order mark is not part of the first column's
// name, and lines may end in CRLF. The library's function makes each row's
// type anew and reads the text twice over; of a million rows that counts.
var csvDecodeFunc = function.New(&function.Spec{
	Description: "Decodes comma-separated values, the first line naming the columns, into a list of objects.",
	Params:      []function.Parameter{{Name: "str", Type: cty.String}},
	Type:        function.StaticReturnType(cty.DynamicPseudoType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		rows, ty, err := decodeCSV(args[0].AsString())
		if err != nil {
			return cty.DynamicVal, function.NewArgError(0, err)
		}
		if len(rows) == 0 {
			return cty.ListValEmpty(ty), nil
		}
		return cty.ListVal(rows), nil
	},
})

// CSVReader reads the records of a CSV text, each into the slice of the one before.
func CSVReader(text string) *csv.Reader {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	r.ReuseRecord = true
	return r
}

func decodeCSV(text string) ([]cty.Value, cty.Type, error) {
	r := CSVReader(text)
	first, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, cty.NilType, errors.New("missing header line")
	case err != nil:
		return nil, cty.NilType, csvError(err)
	}
	header := make([]string, len(first))
	types := make(map[string]cty.Type, len(first))
	for i, name := range first {
		header[i] = cty.NormalizeString(name)
		if _, exists := types[header[i]]; exists {
			return nil, cty.NilType, fmt.Errorf("duplicate column name %q", name)
		}
		types[header[i]] = cty.String
	}
	rows := make([]cty.Value, 0, strings.Count(text, "\n"))
	row := make(map[string]cty.Value, len(header)) // ObjectVal copies it
	for {
		fields, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return rows, cty.Object(types), nil
		case err != nil:
			return nil, cty.NilType, csvError(err)
		}
		for i, field := range fields {
			row[header[i]] = cty.StringVal(field)
		}
		rows = append(rows, cty.ObjectVal(row))
	}
}

func csvError(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("the CSV has a mistake on line %d: %w", parse.Line, parse.Err)
	}
	return err
}
