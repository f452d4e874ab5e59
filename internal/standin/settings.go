package standin

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/portner-go/portner/internal/standin/strictjson"
)

// envPrefix begins the name of the variable of a flag: -tls-cert is PORTNER_TLS_CERT.
const envPrefix = "PORTNER_"

// otherVariables are variables with the prefix that are not of the programs: those of the tests of this repository.
var otherVariables = []string{
	"PORTNER_BAD_", "PORTNER_CACHE", "PORTNER_CLIENTS", "PORTNER_COUNT_CALLS", "PORTNER_DATABASE", "PORTNER_MUTANT", "PORTNER_SHOTS", "PORTNER_SLOW",
	"PORTNER_SQLITE_WRITER", "PORTNER_STORAGETEST", "PORTNER_TEST_DEFECT", "PORTNER_TEST_PROGRAM", "PORTNER_UPDATE", "PORTNER_WALK",
}

// ownMembers are the flags that have a member of their own in the configuration, so that settings has none for them.
var ownMembers = map[string]string{"issuer": "issuer", "test-issuer": "test_issuer", "mtls-addr": "mtls.addr", "tls-client-ca": "mtls.client_ca"}

// Settings are the flags in a configuration: members with the names of flags, such as tls_cert.
type Settings map[string]any

// Keeps records that the settings have changed, which a running server cannot do.
func (s Settings) Keeps(p *Problems, old Settings) {
	NeedsRestart(p, fmt.Sprint(s) != fmt.Sprint(old), "settings")
}

// resolveFlags gives each flag its value: that of the command line, of its variable, or of the settings of the configuration, in this order.
func resolveFlags(fs *flag.FlagSet, environ []string, f *Flags) error {
	given := map[string]bool{}
	fs.Visit(func(one *flag.Flag) { given[one.Name] = true })
	if err := setVariables(fs, environ, given); err != nil {
		return err
	}
	return fromSettings(fs, f.ConfigFile, given)
}

// FromEnvironment gives each flag that is not on the command line the value of its variable. It reports every unknown variable.
func FromEnvironment(fs *flag.FlagSet, environ []string) error {
	given := map[string]bool{}
	fs.Visit(func(one *flag.Flag) { given[one.Name] = true })
	return setVariables(fs, environ, given)
}

// setVariables sets the flags that are not given.
func setVariables(fs *flag.FlagSet, environ []string, given map[string]bool) error {
	var problems []error
	for _, variable := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.ContainsFunc(otherVariables, func(other string) bool { return strings.HasPrefix(name, other) }) {
			continue
		}
		of := fs.Lookup(strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, envPrefix)), "_", "-"))
		switch {
		case of == nil || name != envName(of.Name):
			problems = append(problems, fmt.Errorf("%s: is an unknown variable (%s-h lists the flags; that of -tls-cert is PORTNER_TLS_CERT)", name, meant(name, fs, envName)))
		case !given[of.Name]:
			given[of.Name] = true
			if err := fs.Set(of.Name, value); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	return errors.Join(problems...)
}

// meant returns a hint with the flag that name probably means, in the form of a variable or member, or "".
func meant(name string, fs *flag.FlagSet, form func(flagName string) string) string {
	var all []string
	for _, one := range flagNames(fs) {
		if one != "config" {
			all = append(all, form(one))
		}
	}
	if found := strictjson.Meant(name, all); found != "" {
		return "did you mean " + found + "? "
	}
	return ""
}

func memberName(flagName string) string { return strings.ReplaceAll(flagName, "-", "_") }

func envName(flagName string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}

// CheckSchema returns an error if $schema of a configuration is that of another server.
func CheckSchema(server string, schema any) error {
	text, _ := schema.(string)
	if of, ok := strings.CutSuffix(path.Base(text), "-config.schema.json"); ok && of != server {
		return fmt.Errorf("is that of %s, and the server is %s", of, server)
	}
	return nil
}

// fromSettings sets the flags that are not given. Other problems of the file are reported by what reads all of it.
func fromSettings(fs *flag.FlagSet, file string, given map[string]bool) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("-config: %w", err)
	}
	var head struct {
		Schema   any `json:"$schema"`
		Settings map[string]json.RawMessage
	}
	if json.Unmarshal(Plain(text), &head) != nil {
		return nil
	}
	var p Problems
	words := strings.Fields(fs.Name()) // "token maskinporten" reads the file of maskinporten
	if err := CheckSchema(words[len(words)-1], head.Schema); err != nil {
		p.Add("$schema", "%w", err)
		return Document{Path: file}.Wrap(p.Err()) // its settings and members are those of the other server
	}
	for _, member := range slices.Sorted(maps.Keys(head.Settings)) {
		name, at := strings.ReplaceAll(member, "_", "-"), "settings."+member
		var value any
		if err := json.Unmarshal(head.Settings[member], &value); err != nil {
			return err
		}
		switch value.(type) {
		case string, bool, float64:
		default:
			p.Add(at, "must be a string, a boolean or a number")
			continue
		}
		switch {
		case ownMembers[name] != "":
			p.Add(at, "is an unknown member: write %s beside settings", ownMembers[name])
		case fs.Lookup(name) == nil || name == "config" || strings.Contains(member, "-"):
			p.Add(at, "is an unknown member: settings has the names of flags, such as tls_cert (%s-h lists them)", meant(member, fs, memberName))
		case !given[name]:
			if err := fs.Set(name, fmt.Sprint(value)); err != nil {
				p.Add(at, "%w", err)
			}
		}
	}
	return Document{Path: file}.Wrap(p.Err())
}
