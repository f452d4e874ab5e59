// Portner-postgres prints or applies the migrations of storage/postgres, removes expired records, and ends what a failover may have
// brought back. The database is the one of -database, of PORTNER_DATABASE, or of the variables of libpq (PGHOST and others).
//
//	portner-postgres print               print the SQL that makes the schema
//	portner-postgres migrate             apply the migrations that are missing
//	portner-postgres sweep               remove expired records once; nodes do so by themselves (Store.Run)
//	portner-postgres fence -replicated TIME [-idle 2h]
//	                                     after a failover to a standby that had not received the latest transactions
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/portner-go/portner/storage/postgres"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr, time.Now())
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "portner-postgres:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: portner-postgres [-database URL] print | migrate | sweep | fence -replicated TIME [-idle DURATION]")

// run is the program.
func run(ctx context.Context, args []string, out, diagnostics io.Writer, now time.Time) error {
	flags := flag.NewFlagSet("portner-postgres", flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	flags.Usage = func() {
		fmt.Fprintln(diagnostics, errUsage)
		flags.PrintDefaults()
	}
	database := flags.String("database", "", "connection `URL` (default: that of PORTNER_DATABASE, or of PGHOST and the other variables of libpq)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *database == "" { // as a default of the flag it would be in the usage, with its password
		*database = os.Getenv("PORTNER_DATABASE")
	}
	command, rest := flags.Arg(0), flags.Args()
	if command == "" {
		return errUsage
	}
	rest = rest[1:]
	if command == "fence" {
		since, err := fenceTime(rest, diagnostics)
		if err != nil {
			return err
		}
		return withStore(ctx, *database, diagnostics, func(s *postgres.Store) error {
			n, err := s.FenceAfterFailover(ctx, since, now)
			fmt.Fprintf(out, "ended %d sessions, codes and grants that were touched since %s\n", n, since.Format(time.RFC3339))
			return err
		})
	}
	if len(rest) > 0 {
		return errUsage
	}
	switch command {
	case "print":
		_, err := io.WriteString(out, postgres.Script())
		return err
	case "migrate":
		return migrate(ctx, *database, out)
	case "sweep":
		return withStore(ctx, *database, diagnostics, func(s *postgres.Store) error {
			n, err := s.Sweep(ctx, now)
			fmt.Fprintf(out, "removed %d records\n", n)
			return err
		})
	}
	return errUsage
}

// fenceTime returns the instant from which on a fence ends what was touched.
func fenceTime(args []string, diagnostics io.Writer) (time.Time, error) {
	flags := flag.NewFlagSet("portner-postgres fence", flag.ContinueOnError)
	flags.SetOutput(diagnostics)
	replicated := flags.String("replicated", "", "last `time` (RFC 3339) whose transactions the promoted standby has for certain")
	idle := flags.Duration("idle", 2*time.Hour, "longest idle lifetime of a session or refresh token")
	if err := flags.Parse(args); err != nil {
		return time.Time{}, err
	}
	if flags.NArg() > 0 || *replicated == "" {
		return time.Time{}, errUsage
	}
	at, err := time.Parse(time.RFC3339, *replicated)
	if err != nil || *idle < 0 {
		return time.Time{}, fmt.Errorf("fence: -replicated is a time like 2026-05-17T09:30:00Z, and -idle is not negative: %w", errUsage)
	}
	return at.Add(-*idle), nil
}

// errURL reports a connection string that cannot be parsed. The error of the parser may quote a part of the password.
var errURL = errors.New("the connection URL cannot be used; it is not shown, because it may have a password. Write postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for @, %2F for / and %3A for : in the password")

func connect(ctx context.Context, database string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		return nil, errURL
	}
	return pgxpool.NewWithConfig(ctx, config)
}

func migrate(ctx context.Context, database string, out io.Writer) error {
	pool, err := connect(ctx, database)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := postgres.Migrate(ctx, pool); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "the schema portner is up to date")
	return err
}

func withStore(ctx context.Context, database string, diagnostics io.Writer, f func(s *postgres.Store) error) error {
	pool, err := connect(ctx, database)
	if err != nil {
		return err
	}
	defer pool.Close()
	s, err := postgres.New(ctx, pool, postgres.Config{Logger: slog.New(slog.NewTextHandler(diagnostics, nil))})
	if err != nil {
		return err
	}
	return f(s)
}
