package sqlite

import (
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/state"
)

// The migrations in the order of their names; the n-th makes schema version n.
//
//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks a database as Waybill's ("WAYB"), so that another
// program's database is not written to by mistake.
const applicationID = 0x57415942

var (
	selectVersion = &query{"schema version", `SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id),
		(SELECT count(*) FROM sqlite_schema)`}
	selectBroken = &query{"foreign keys", `PRAGMA foreign_key_check`}
	insertMeta   = &query{"lineage", `INSERT INTO meta (one, lineage, serial) VALUES (1, ?1, 0) ON CONFLICT DO NOTHING`}
)

// newest is the schema version that this program writes.
func newest() (int, []string) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	return len(names), names
}

// version reads the schema version: 0 of an empty database.
func (c *conn) version() (int, error) {
	row, _, err := c.one(selectVersion)
	if err != nil {
		return 0, err
	}
	version, application, objects := int(row.int(0)), row.int(1), row.int(2)
	if objects > 0 && application != applicationID {
		return 0, fmt.Errorf("state %s: this is a database of another program: give the sqlite backend another path", c.path)
	}
	if known, _ := newest(); version > known {
		return 0, fmt.Errorf("state %s: %w (schema %d, this one knows %d): use that version, or a backup from before it",
			c.path, state.ErrNewer, version, known)
	}
	return version, nil
}

// migrate brings the database to the newest schema, each step in a transaction. A
// step may make tables anew that others refer to, so foreign keys are checked at its
// end instead of all along.
func (c *conn) migrate() (err error) {
	version, err := c.version()
	if err != nil {
		return err
	}
	known, names := newest()
	if version == known {
		return nil
	}
	if err := c.script("foreign keys", "PRAGMA foreign_keys = OFF"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.script("foreign keys", "PRAGMA foreign_keys = ON")) }()
	for ; version < known; version++ {
		text, err := migrations.ReadFile(names[version])
		if err != nil {
			return fmt.Errorf("state %s: migration %s: %w", c.path, names[version], err)
		}
		op := "migration " + names[version]
		script := fmt.Sprintf("BEGIN IMMEDIATE;\n%s\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;", text, applicationID, version+1)
		failpoint.Hit(failpoint.MigrateBegin)
		if err = c.script(op, script); err == nil {
			err = c.exec(insertMeta, newLineage())
		}
		if err == nil {
			err = c.checkReferences(names[version])
		}
		if err == nil {
			failpoint.Hit(failpoint.MigrateWritten)
			err = c.script(op, "COMMIT")
		}
		if err != nil {
			c.db.Exec("ROLLBACK", nil) // there may be nothing to roll back
			return err
		}
		failpoint.Hit(failpoint.MigrateCommitted)
	}
	return nil
}

// checkReferences reports a row that refers to another which is not there.
func (c *conn) checkReferences(migration string) error {
	row, broken, err := c.one(selectBroken)
	if err == nil && broken {
		err = fmt.Errorf("state %s: migration %s: %w: a row of %s refers to one of %s that is not there", c.path, migration, state.ErrCorrupt, row.text(0), row.text(2))
	}
	return err
}

// newLineage makes a random UUID.
func newLineage() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
