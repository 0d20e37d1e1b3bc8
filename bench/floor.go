package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	_ "github.com/mattn/go-sqlite3" // for database/sql
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// floorPeer is the least that a plan has to do: evaluate the block with the HCL
// library, and pass once over as many rows of SQLite.
func floorPeer(args []string) error {
	if len(args) != 2 {
		return errors.New("peer-floor make|walk N")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", "file:floor.db?_journal_mode=WAL")
	if err != nil {
		return err
	}
	defer db.Close()
	if args[0] == "make" {
		return makeFloor(db, n)
	}
	instances, err := evaluateBare()
	if err != nil {
		return err
	}
	rows, err := db.Query(`SELECT key, identity, args FROM items ORDER BY key`)
	if err != nil {
		return err
	}
	defer rows.Close()
	seen, same := 0, 0
	for rows.Next() {
		var key, identity string
		var arguments []byte
		if err := rows.Scan(&key, &identity, &arguments); err != nil {
			return err
		}
		seen++
		if instances[key] == identity {
			same++
		}
	}
	if seen != n || same != n {
		return fmt.Errorf("%d rows, %d the same, of %d", seen, same, n)
	}
	return rows.Err()
}

// evaluateBare evaluates the block as it stands: key to rcpt_ref.
func evaluateBare() (map[string]string, error) {
	file, diags := hclsyntax.ParseConfig([]byte(faxBlock), "main.wb.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	block := file.Body.(*hclsyntax.Body).Blocks[0]
	ctx := &hcl.EvalContext{Functions: map[string]function.Function{
		"csvdecode": stdlib.CSVDecodeFunc,
		"file": function.New(&function.Spec{
			Params: []function.Parameter{{Name: "path", Type: cty.String}}, Type: function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				text, err := os.ReadFile(args[0].AsString())
				return cty.StringVal(string(text)), err
			},
		}),
	}}
	all, diags := block.Body.Attributes["for_each"].Expr.Value(ctx)
	if diags.HasErrors() {
		return nil, diags
	}
	argument := block.Body.Attributes["rcpt_ref"].Expr
	instances := make(map[string]string, all.LengthInt())
	for it := all.ElementIterator(); it.Next(); {
		key, value := it.Element()
		child := ctx.NewChild()
		child.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
		v, diags := argument.Value(child)
		if diags.HasErrors() {
			return nil, diags
		}
		instances[key.AsString()] = v.AsString()
	}
	return instances, nil
}

func makeFloor(db *sql.DB, n int) error {
	if _, err := db.Exec(`CREATE TABLE items (id INTEGER PRIMARY KEY, key TEXT UNIQUE, identity TEXT, args TEXT)`); err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	insert, err := tx.Prepare(`INSERT INTO items (key, identity, args) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	for i := range n {
		ref := fmt.Sprintf("rcpt_%07d", i)
		args := `{"give_up_after":"72h","poll":{"interval":"60s","max_interval":"15m"},"prevent_forget":false,"rcpt_ref":"` + ref + `","suspend":false}`
		if _, err := insert.Exec(fmt.Sprintf("INV-%07d", i), ref, args); err != nil {
			return err
		}
	}
	return tx.Commit()
}
