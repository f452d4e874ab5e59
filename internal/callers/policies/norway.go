package policies

import (
	"errors"
	"log/slog"

	"github.com/portner-go/portner/norway"
)

// testUser returns the national identity number of a synthetic person and logs the person's employer.
func testUser(pidText, orgnoText string) (norway.PID, error) {
	pid, err1 := norway.ParsePID(pidText)
	employer, err2 := norway.ParseOrgno(orgnoText)
	if !pid.IsSynthetic() {
		return norway.PID{}, errors.Join(errNotSynthetic, err1)
	}
	slog.Info("login", "pid", pid, "employer", employer) // pid=REDACTED employer=991825827
	return pid, err2
}

var errNotSynthetic = errors.New("not a synthetic person")
