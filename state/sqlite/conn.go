package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/waybill-dev/waybill/failpoint"
)

// background is the context of work that is not given up half-way.
var background = context.Background()

// query is a statement with its name. Queries are package-level constants in
// all but syntax; a connection keeps each prepared, found by its pointer.
//
// Some texts have +?1 where ?1 would do: SQLite prepares a statement again each
// time a bare parameter is bound that it compared with a partial index's
// condition, at ten times the price of running it.
type query struct {
	op   string // a noun phrase for errors and for Options.Fault
	text string
}

// conn is one connection and the statements prepared on it, used by one
// goroutine at a time. It works on the driver's own statements: database/sql
// would add a lock, a context and a conversion to each of millions of rows.
type conn struct {
	db    *sqlite3.SQLiteConn
	path  string
	fault func(op string) error
	stmts map[*query]*stmt
}

// mode is how a connection opens the database.
type mode string

const (
	writing   mode = "rw"
	reading   mode = "ro"
	immutable mode = "immutable" // of a database in a directory where SQLite can make no -shm file
)

// busyTimeout bounds the wait for a lock that another program holds.
const busyTimeout = 5 * time.Second

// dsn names the database and the PRAGMAs, so that they reach every connection.
func dsn(path string, m mode) string {
	name := "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	common := fmt.Sprintf("&_busy_timeout=%d&_foreign_keys=on&_mutex=no&_stmt_cache_size=128", busyTimeout.Milliseconds())
	synchronous := "FULL"
	if failpoint.Weakened(failpoint.Synchronous) {
		synchronous = "NORMAL"
	}
	switch m {
	case writing:
		return name + "?mode=rw&_synchronous=" + synchronous + "&_cache_size=-65536" + common
	case immutable:
		return name + "?mode=ro&immutable=1" + common
	}
	return name + "?mode=ro" + common
}

// connect opens a connection; the file must exist.
func connect(path string, m mode, fault func(string) error) (*conn, error) {
	if fault == nil {
		fault = scripted
	}
	if err := fault("open"); err != nil {
		return nil, explain(path, "open", err)
	}
	opened, err := (&sqlite3.SQLiteDriver{}).Open(dsn(path, m))
	if err != nil {
		return nil, explain(path, "open", err)
	}
	return &conn{db: opened.(*sqlite3.SQLiteConn), path: path, fault: fault, stmts: make(map[*query]*stmt)}, nil
}

// scripted is the fault that a test asks for by the environment: a disk without
// room. In an ordinary build there is none.
func scripted(op string) error {
	if failpoint.Fails(op) {
		return sqlite3.Error{Code: sqlite3.ErrFull}
	}
	return nil
}

// checkpointPages is how many pages of 4096 bytes the write-ahead log gathers
// before they are moved into the database: a page that many commits change is
// moved once.
const checkpointPages = 4096

// keepLog sets how the writer handles the write-ahead log. Its files stay when
// the last connection closes, so that readers, who may not create any, find
// them; after a large transaction they shrink again.
func (c *conn) keepLog() error {
	if err := c.db.SetFileControlInt("main", sqlite3.SQLITE_FCNTL_PERSIST_WAL, 1); err != nil {
		return explain(c.path, "keeping the write-ahead log", err)
	}
	return c.script("bounds of the write-ahead log",
		fmt.Sprintf("PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d", checkpointPages, 4*checkpointPages*4096))
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		s.s.Close() // its statement is gone with the connection in any case
	}
	c.stmts = nil
	return explain(c.path, "close", c.db.Close())
}

// script runs statements without arguments.
func (c *conn) script(op, text string) error {
	if err := c.fault(op); err != nil {
		return explain(c.path, op, err)
	}
	_, err := c.db.ExecContext(context.Background(), text, nil)
	return explain(c.path, op, err)
}

// stmt is a prepared statement and the rows it is at.
type stmt struct {
	c    *conn
	s    *sqlite3.SQLiteStmt
	q    *query
	args []driver.NamedValue

	open driver.Rows
	row  []driver.Value
}

func (c *conn) prepare(q *query) (*stmt, error) {
	if s, ok := c.stmts[q]; ok {
		return s, nil
	}
	prepared, err := c.db.Prepare(q.text)
	if err != nil {
		return nil, explain(c.path, q.op, err)
	}
	s := &stmt{c: c, s: prepared.(*sqlite3.SQLiteStmt), q: q}
	s.args = make([]driver.NamedValue, s.s.NumInput())
	for i := range s.args {
		s.args[i].Ordinal = i + 1
	}
	c.stmts[q] = s
	return s, nil
}

// run begins a statement. The driver's query path is used for writing too: it
// binds and steps in one call into C, where its exec path makes one for each
// argument.
func (c *conn) run(q *query, args []any) (*stmt, error) {
	s, err := c.prepare(q)
	if err != nil {
		return nil, err
	}
	if err := c.fault(q.op); err != nil {
		return nil, explain(c.path, q.op, err)
	}
	if len(args) != len(s.args) {
		return nil, fmt.Errorf("state %s: %s: %d arguments for %d places", c.path, q.op, len(args), len(s.args))
	}
	for i, a := range args {
		s.args[i].Value = a
	}
	s.open, err = s.s.QueryContext(context.Background(), s.args)
	clear(s.row)
	if err != nil {
		s.open = nil
		return nil, explain(c.path, q.op, err)
	}
	return s, nil
}

// exec runs a statement that answers with no rows.
func (c *conn) exec(q *query, args ...any) error {
	s, err := c.run(q, args)
	if err != nil {
		return err
	}
	return s.close()
}

// one runs a statement that answers with one row or none; the row is good until
// the statement's next run.
func (c *conn) one(q *query, args ...any) (*stmt, bool, error) {
	s, err := c.run(q, args)
	if err != nil {
		return nil, false, err
	}
	ok, err := s.next()
	if err != nil {
		s.close()
		return nil, false, err
	}
	return s, ok, s.close()
}

// each runs a statement and calls visit at each row until it says no.
func (c *conn) each(ctx context.Context, q *query, visit func(s *stmt) (bool, error), args ...any) (err error) {
	s, err := c.run(q, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		ok, err := s.next()
		if err != nil || !ok {
			return err
		}
		if ok, err = visit(s); err != nil || !ok {
			return err
		}
	}
}

// next steps to the next row.
func (s *stmt) next() (bool, error) {
	if s.row == nil {
		s.row = make([]driver.Value, len(s.open.Columns()))
	}
	switch err := s.open.Next(s.row); {
	case errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, explain(s.c.path, s.q.op, err)
	}
	return true, nil
}

func (s *stmt) close() error {
	if s.open == nil {
		return nil
	}
	err := s.open.Close()
	s.open = nil
	return explain(s.c.path, s.q.op, err)
}

// The columns of the present row; NULL reads as the zero value.

func (s *stmt) int(i int) int64 {
	n, _ := s.row[i].(int64)
	return n
}

func (s *stmt) bool(i int) bool { return s.int(i) != 0 }

func (s *stmt) null(i int) bool { return s.row[i] == nil }

func (s *stmt) text(i int) string {
	t, _ := s.row[i].(string)
	return t
}

// bytes is the column of a blob, or of a text that the query cast to one.
func (s *stmt) bytes(i int) []byte {
	b, _ := s.row[i].([]byte)
	return b
}

func (s *stmt) time(i int) time.Time {
	if n, ok := s.row[i].(int64); ok {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}
