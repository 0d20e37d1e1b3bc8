package sqlite

import (
	"github.com/waybill-dev/waybill/plan"
)

var (
	selectWord    = &query{"word", `SELECT id FROM words WHERE text = ?1`}
	insertWord    = &query{"word", `INSERT INTO words (text) VALUES (?1) RETURNING id`}
	selectBlock   = &query{"block", `SELECT id FROM blocks WHERE module = '' AND type = ?1 AND name = ?2`}
	selectAccount = &query{"account", `SELECT id FROM accounts WHERE name = ?1`}
	insertAccount = &query{"account", `INSERT INTO accounts (name) VALUES (?1) RETURNING id`}
	insertBlock   = &query{"block", `INSERT INTO blocks (type, name) VALUES (?1, ?2) RETURNING id`}
	selectScope   = &query{"scope", `SELECT id FROM scopes WHERE type = ?1 AND account = ?2`}
	insertScope   = &query{"scope", `INSERT INTO scopes (type, account) VALUES (?1, ?2) RETURNING id`}
	wordOf        = &query{"word", `SELECT text FROM words WHERE id = ?1`}
	blockOf       = &query{"block", `SELECT type, name FROM blocks WHERE id = ?1`}
	accountOf     = &query{"account", `SELECT name FROM accounts WHERE id = ?1`}
	scopeOf       = &query{"scope", `SELECT s.type, a.name FROM scopes s JOIN accounts a ON a.id = s.account WHERE s.id = ?1`}
)

// word is the id of a text that is kept once.
func (w *writer) word(text string) (int64, error) {
	if id, ok := w.words[text]; ok {
		return id, nil
	}
	id, err := w.idOf(selectWord, insertWord, text)
	if err == nil {
		w.words[text] = id
	}
	return id, err
}

func (w *writer) block(a plan.Address) (int64, error) {
	k := pair{a.Type(), a.Name()}
	if id, ok := w.blocks[k]; ok {
		return id, nil
	}
	id, err := w.idOf(selectBlock, insertBlock, a.Type(), a.Name())
	if err == nil {
		w.blocks[k] = id
	}
	return id, err
}

func (w *writer) account(name string) (int64, error) {
	if id, ok := w.accounts[name]; ok {
		return id, nil
	}
	id, err := w.idOf(selectAccount, insertAccount, name)
	if err == nil {
		w.accounts[name] = id
	}
	return id, err
}

func (w *writer) scope(typ, account string) (int64, error) {
	k := pair{typ, account}
	if id, ok := w.scopes[k]; ok {
		return id, nil
	}
	number, err := w.account(account)
	if err != nil {
		return 0, err
	}
	id, err := w.idOf(selectScope, insertScope, typ, number)
	if err == nil {
		w.scopes[k] = id
	}
	return id, err
}

// idOf finds a row's id, or inserts the row.
func (w *writer) idOf(find, insert *query, args ...any) (int64, error) {
	row, ok, err := w.c.one(find, args...)
	if err == nil && !ok {
		row, ok, err = w.c.one(insert, args...)
	}
	if err != nil || !ok {
		return 0, err
	}
	return row.int(0), nil
}

func (v *view) word(id int64) (string, error) { return v.name(v.words, wordOf, id) }

func (v *view) account(id int64) (string, error) { return v.name(v.accounts, accountOf, id) }

func (v *view) name(known map[int64]string, q *query, id int64) (string, error) {
	if text, ok := known[id]; ok {
		return text, nil
	}
	row, ok, err := v.one(q, id)
	if err != nil || !ok {
		return "", err
	}
	known[id] = row.text(0)
	return known[id], nil
}

func (v *view) scope(id int64) (typ, account string, err error) {
	p, ok := v.scopes[id]
	if !ok {
		if p, err = v.pair(scopeOf, id); err != nil {
			return "", "", err
		}
		v.scopes[id] = p
	}
	return p.a, p.b, nil
}

func (v *view) address(block int64, key plan.Key) (_ plan.Address, err error) {
	p, ok := v.blocks[block]
	if !ok {
		if p, err = v.pair(blockOf, block); err != nil {
			return plan.Address{}, err
		}
		v.blocks[block] = p
	}
	return plan.NewAddress(p.a, p.b, key), nil
}

func (v *view) pair(q *query, id int64) (pair, error) {
	row, ok, err := v.one(q, id)
	if err != nil || !ok {
		return pair{}, err
	}
	return pair{row.text(0), row.text(1)}, nil
}
