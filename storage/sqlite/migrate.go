package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// applicationID marks files of this package (PRAGMA application_id). It is "prtn".
const applicationID = 0x7072746e

// pageSize is the size of a page of SQLite.
const pageSize = 4096

// schema holds the migrations, which only add: a process with an earlier version that has the file open goes on.
//
//go:embed schema/*.sql
var schema embed.FS

// migrations returns the texts of the migrations in their order.
func migrations() ([]string, error) {
	names, err := fs.Glob(schema, "schema/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, name := range names {
		text, err := schema.ReadFile(name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(text))
	}
	return texts, nil
}

// connect opens a connection.
func (c *Config) connect(file string, readOnly bool) (*conn, error) {
	flags := sqlite3.OPEN_READWRITE | sqlite3.OPEN_EXRESCODE // prepareFile made the file; without OPEN_URI
	db, err := sqlite3.OpenFlags(file, flags)
	if err != nil {
		return nil, fault(err)
	}
	out := &conn{db: db, statements: make(map[string]*sqlite3.Stmt)}
	if err := c.configure(db, readOnly); err != nil {
		_ = out.close()
		return nil, fault(err)
	}
	return out, nil
}

func (c *Config) configure(db *sqlite3.Conn, readOnly bool) error {
	if err := db.BusyTimeout(c.Timeout); err != nil {
		return err
	}
	synchronous := "FULL"
	if c.LoseLastSecondsOnPowerLoss {
		synchronous = "NORMAL"
	}
	pragmas := []string{
		"synchronous=" + synchronous, "foreign_keys=ON", "trusted_schema=OFF", "cache_size=-8000",
		"journal_size_limit=67108864", "max_page_count=" + strconv.FormatInt(c.MaxBytes/pageSize, 10), "query_only=" + strconv.FormatBool(readOnly),
	}
	return db.Exec("PRAGMA " + strings.Join(pragmas, "; PRAGMA "))
}

// migrate makes the schema, or brings that of an earlier version up to date.
func (c *conn) migrate(texts []string, timeout time.Duration) error {
	if err := c.check(len(texts)); err != nil {
		return err
	}
	// A file must have auto_vacuum before its first table. Both pragmas change nothing in a file that has them.
	if err := c.patiently(timeout, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL"); err != nil {
		return err
	}
	if version, err := c.number("PRAGMA user_version"); err != nil || version == int64(len(texts)) {
		return err
	}
	return c.apply(texts)
}

// patiently executes statements that SQLite does not wait for: two processes may make the file at the same time. It begins its last attempt
// when timeout has passed.
func (c *conn) patiently(timeout time.Duration, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := c.db.Exec(sql)
	for errors.Is(err, sqlite3.BUSY) && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
		err = c.db.Exec(sql)
	}
	if err != nil {
		return fault(err)
	}
	return nil
}

// check returns an error if the file is not one of this package, or has more migrations than n.
func (c *conn) check(n int) error {
	id, err := c.number("PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	if id != applicationID {
		tables, err := c.number("SELECT count(*) FROM sqlite_schema")
		switch {
		case err != nil:
			return err
		case id != 0 || version != 0 || tables > 0:
			return errors.New("the file is a database of another application")
		}
		return nil
	}
	if version > int64(n) {
		return fmt.Errorf("the schema has version %d, and this program supports %d: a later version has changed the file", version, n)
	}
	return nil
}

// apply executes the migrations that the file does not have, in one transaction. Another process may have executed them meanwhile.
func (c *conn) apply(texts []string) error {
	if err := c.db.Exec("BEGIN IMMEDIATE"); err != nil {
		return fault(err)
	}
	defer func() {
		if !c.db.GetAutocommit() {
			_ = c.db.Exec("ROLLBACK")
		}
	}()
	if err := c.check(len(texts)); err != nil {
		return err
	}
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	for i := int(version); i < len(texts); i++ {
		if err := c.db.Exec(texts[i]); err != nil {
			return fmt.Errorf("migration %d: %w", i+1, fault(err))
		}
	}
	if err := c.db.Exec(fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT", applicationID, len(texts))); err != nil {
		return fault(err)
	}
	return nil
}
