package keyset_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/keyset"
)

// directory returns a Directory with short times, which does not exist yet.
func directory(t testing.TB) keyset.Directory {
	t.Helper()
	return keyset.Directory{
		Path: filepath.Join(t.TempDir(), "keys"), Alg: keyset.EdDSA,
		Every: 6 * time.Hour, PublishLead: 3 * time.Hour, Keep: 2 * time.Hour,
	}
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

func open(t testing.TB, d keyset.Directory) *keyset.Set {
	t.Helper()
	s, err := d.Open()
	require.NoError(t, err)
	return s
}

func fieldsOf(err error) (names []string) {
	for _, e := range portner.FieldErrors(err) {
		names = append(names, e.Field)
	}
	return names
}

// files returns the names in the directory.
func files(t testing.TB, d keyset.Directory) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(d.Path)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestDirectoryOpen breaks each field, then all of them.
func TestDirectoryOpen(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	writable := filepath.Join(t.TempDir(), "writable")
	require.NoError(t, os.Mkdir(writable, 0o700))
	require.NoError(t, os.Chmod(writable, 0o770))
	valid := directory(t)
	broken := map[string]struct {
		field  string
		damage func(*keyset.Directory)
	}{
		"no path":            {"Path", func(d *keyset.Directory) { d.Path = "" }},
		"a file":             {"Path", func(d *keyset.Directory) { d.Path = file }},
		"below a file":       {"Path", func(d *keyset.Directory) { d.Path = filepath.Join(file, "keys") }},
		"writable by others": {"Path", func(d *keyset.Directory) { d.Path = writable }},
		"no algorithm":       {"Alg", func(d *keyset.Directory) { d.Alg = "" }},
		"unknown algorithm":  {"Alg", func(d *keyset.Directory) { d.Alg = "HS256" }},
		"lead too short":     {"PublishLead", func(d *keyset.Directory) { d.PublishLead = 2 * time.Hour }},
		"period below lead":  {"Every", func(d *keyset.Directory) { d.Every = 3*time.Hour - 1 }},
		"negative period":    {"Every", func(d *keyset.Directory) { d.Every = -1 }},
		"negative keep":      {"Keep", func(d *keyset.Directory) { d.Keep = -1 }},
	}
	for name, tt := range broken {
		d := valid
		tt.damage(&d)
		s, err := d.Open()
		require.Equal(t, []string{tt.field}, fieldsOf(err), name)
		require.Nil(t, s, name)
	}
	_, err := keyset.Directory{Path: file, Alg: "none", PublishLead: 1, Every: -1, Keep: -1}.Open()
	require.Equal(t, []string{"Path", "Alg", "PublishLead", "Every", "Keep"}, fieldsOf(err))
	require.NoDirExists(t, valid.Path, "a configuration that is rejected creates nothing")

	_, err = keyset.Directory{Path: valid.Path, Alg: keyset.ES256}.Open()
	require.NoError(t, err, "the other fields have defaults")
}

// TestDirectoryFirstKey: the first key signs at once, is found again, and is readable by its owner only.
func TestDirectoryFirstKey(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{keyset.RS256, keyset.PS256, keyset.ES256, keyset.EdDSA} {
		d := directory(t)
		d.Alg = alg
		s := open(t, d)
		require.Equal(t, []string{"0001.pem"}, files(t, d))
		for name, mode := range map[string]os.FileMode{"": 0o700, "0001.pem": 0o600} {
			info, err := os.Stat(filepath.Join(d.Path, name))
			require.NoError(t, err)
			require.Equal(t, mode, info.Mode().Perm(), name)
		}
		now := time.Now()
		require.Equal(t, []string{alg}, s.Algs(now))
		token := sign(t, s, "", "JWT", now)
		again := open(t, d)
		require.Equal(t, s.States(), again.States())
		_, err := again.VerifyIDToken(token, now)
		require.NoError(t, err)
		require.Equal(t, []string{"0001.pem"}, files(t, d))
	}
}

// TestDirectoryTimeline runs two nodes on one directory for four days under a virtual clock: at each step both publish the key
// that signs, every live token verifies on both, and a key is published for the lead before it signs.
func TestDirectoryTimeline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := directory(t)
		var log bytes.Buffer
		d.Logger = slog.New(slog.NewTextHandler(&log, nil))
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		nodes := []*keyset.Set{open(t, d), open(t, d)}
		for _, s := range nodes {
			running.Go(func() { s.Run(ctx) })
			time.Sleep(17 * time.Minute) // the nodes do not rotate at the same instant
		}
		firstSeen, signed := map[string]time.Time{}, map[string]bool{}
		var live []liveToken
		for range 4 * 24 * 3 {
			time.Sleep(20 * time.Minute)
			now := time.Now()
			for _, s := range nodes {
				for _, kid := range published(t, s, now) {
					if _, ok := firstSeen[kid]; !ok {
						firstSeen[kid] = now
					}
				}
			}
			for _, s := range nodes {
				token := sign(t, s, "", "", now)
				kid := kidOf(t, token)
				if !signed[kid] && len(signed) > 0 {
					require.GreaterOrEqual(t, now.Sub(firstSeen[kid]), d.PublishLead-20*time.Minute, "published before it signs")
				}
				signed[kid] = true
				live = append(live, liveToken{token, now.Add(d.Keep)})
			}
			live = slices.DeleteFunc(live, func(l liveToken) bool { return !now.Before(l.expiry) })
			for _, l := range live {
				for n, s := range nodes {
					_, err := s.VerifyIDToken(l.token, now)
					require.NoError(t, err, "node %d, %v before the end of a token", n, l.expiry.Sub(now))
				}
			}
			require.LessOrEqual(t, len(files(t, d)), 7, "expired files are removed after a day")
		}
		stop()
		running.Wait()
		require.Len(t, signed, 17, "a key signs for six hours, over 96.5 hours")
		require.Empty(t, log.String())
	})
}

// TestDirectoryRotate: the successor is planned once, the lead before it is due, and the plan is in its file.
func TestDirectoryRotate(t *testing.T) {
	t.Parallel()
	d := directory(t)
	d.Now, d.Every = at(epoch), 72*time.Hour
	s := open(t, d)
	rotate := func(now time.Time) {
		t.Helper()
		require.NoError(t, s.Rotate(t.Context(), now))
	}
	rotate(epoch.Add(69*time.Hour - 1))
	require.Equal(t, []string{"0001.pem"}, files(t, d))
	rotate(epoch.Add(69 * time.Hour))
	rotate(epoch.Add(69 * time.Hour))
	require.Equal(t, []string{"0001.pem", "0002.pem"}, files(t, d))
	first, second := s.States()[0], s.States()[1]
	require.Equal(t, keyset.Life{RetireAt: epoch.Add(72 * time.Hour), RemoveAt: epoch.Add(74 * time.Hour)}, first.Life)
	require.Equal(t, keyset.Life{PublishFrom: epoch.Add(69 * time.Hour), ActiveFrom: epoch.Add(72 * time.Hour)}, second.Life)
	require.Equal(t, []time.Time{epoch, epoch.Add(69 * time.Hour)}, []time.Time{first.Created.UTC(), second.Created.UTC()})

	rotate(epoch.Add(98*time.Hour - 1))
	require.Equal(t, []string{second.KID}, published(t, s, epoch.Add(74*time.Hour)))
	require.Contains(t, published(t, s, epoch.Add(74*time.Hour-1)), first.KID, "the clock of Rotate may have been ahead")
	require.Equal(t, []string{"0001.pem", "0002.pem"}, files(t, d))
	rotate(epoch.Add(98 * time.Hour)) // a day after the key was removed from the JWKS
	require.Equal(t, []string{"0002.pem"}, files(t, d))
	rotate(epoch.AddDate(1, 0, 0)) // after a long stop the next key is still published for the lead before it signs
	require.Equal(t, []string{"0002.pem", "0003.pem"}, files(t, d))
	require.Equal(t, epoch.AddDate(1, 0, 0).Add(3*time.Hour), s.States()[1].ActiveFrom)
	sign(t, s, "", "", epoch.AddDate(1, 0, 0))

	longer := d
	longer.PublishLead, longer.Every, longer.Now = 48*time.Hour, 1000*time.Hour, at(epoch.AddDate(1, 0, 0))
	require.Equal(t, s.States(), open(t, longer).States(), "a longer lead does not invalidate stored keys")

	done, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Rotate(done, epoch), context.Canceled)
}

// TestDirectoryStolenKey: deleting a file takes the key out of use on every node, and there is always a key that signs.
func TestDirectoryStolenKey(t *testing.T) {
	t.Parallel()
	d := directory(t)
	d.Now = at(epoch)
	s, other := open(t, d), open(t, d)
	now := epoch.Add(3 * time.Hour)
	require.NoError(t, s.Rotate(t.Context(), now))
	token := sign(t, s, "", "", now)
	require.NoError(t, os.Remove(filepath.Join(d.Path, "0001.pem")))
	for _, node := range []*keyset.Set{s, other} {
		require.NoError(t, node.Rotate(t.Context(), now))
		_, err := node.VerifyIDToken(token, now)
		require.Error(t, err)
	}
	fresh := sign(t, s, "", "", now)
	_, err := other.VerifyIDToken(fresh, now)
	require.NoError(t, err)
}

// TestDirectoryForeignFiles: a file that is not a complete key file of this directory is rejected by name, and a running node
// keeps its keys.
func TestDirectoryForeignFiles(t *testing.T) {
	t.Parallel()
	text := func(d keyset.Directory) string {
		open(t, d)
		b, err := os.ReadFile(filepath.Join(d.Path, "0001.pem"))
		require.NoError(t, err)
		return string(b)
	}
	d := directory(t)
	good := text(d)
	other := text(directory(t))
	es := directory(t)
	es.Alg = keyset.ES256
	header, pem, _ := strings.Cut(good, "\n")
	_, otherPEM, _ := strings.Cut(other, "\n")
	for name, c := range map[string]struct{ file, content string }{
		"empty":                  {"0002.pem", ""},
		"header only":            {"0002.pem", header + "\n"},
		"cut in the key":         {"0002.pem", good[:len(good)-40]},
		"cut in the last line":   {"0002.pem", good[:len(good)-1]},
		"text after the key":     {"0002.pem", good + "x"},
		"text before the header": {"0002.pem", "x\n" + good},
		"PEM only":               {"0002.pem", pem},
		"unknown member":         {"0002.pem", strings.Replace(good, `{"version"`, `{"extra":1,"version"`, 1)},
		"two headers":            {"0002.pem", header + header + "\n" + pem},
		"another version":        {"0002.pem", strings.Replace(good, `"version":1`, `"version":2`, 1)},
		"key of another file":    {"0002.pem", header + "\n" + otherPEM},
		"another algorithm":      {"0002.pem", text(es)},
		"same key again":         {"0002.pem", good},
		"a second first key":     {"0002.pem", other},
		"text file":              {"README", "keys"},
		"name without zeros":     {"2.pem", other},
		"name with more zeros":   {"00002.pem", other},
		"too large":              {"0002.pem", good + strings.Repeat("\n", 64<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := d
			d.Path = filepath.Join(t.TempDir(), "keys")
			require.NoError(t, os.Mkdir(d.Path, 0o700))
			write := func(file, content string) {
				require.NoError(t, os.WriteFile(filepath.Join(d.Path, file), []byte(content), 0o600))
			}
			write("0001.pem", good)
			write(".hidden", "ignored")
			s := open(t, d)
			write(c.file, c.content)
			_, err := d.Open()
			require.Equal(t, []string{"Path/" + c.file}, fieldsOf(err))
			for _, secret := range []string{good, other} {
				_, key, _ := strings.Cut(secret, "KEY-----\n")
				require.NotContains(t, err.Error(), key[:30])
			}
			before := s.States()
			require.Equal(t, []string{"Path/" + c.file}, fieldsOf(s.Rotate(t.Context(), time.Now())))
			require.Equal(t, before, s.States())
			sign(t, s, "", "", time.Now())
			write("0003.pem", "")
			_, err = d.Open()
			require.ElementsMatch(t, []string{"Path/" + c.file, "Path/0003.pem"}, fieldsOf(err), "every problem at once")
		})
	}
	require.NoError(t, os.Chmod(filepath.Join(d.Path, "0001.pem"), 0o640))
	_, err := d.Open()
	require.Equal(t, []string{"Path/0001.pem"}, fieldsOf(err))
	require.ErrorContains(t, err, "must be 0600")
	require.NoError(t, os.Remove(filepath.Join(d.Path, "0001.pem")))
	require.NoError(t, os.Mkdir(filepath.Join(d.Path, "0001.pem"), 0o700))
	_, err = d.Open()
	require.Equal(t, []string{"Path/0001.pem"}, fieldsOf(err))
}

// TestDirectoryEmptied: a directory that is empty or absent may be a volume that is not mounted. A running node keeps its
// keys and creates none.
func TestDirectoryEmptied(t *testing.T) {
	t.Parallel()
	d := directory(t)
	s := open(t, d)
	now := time.Now()
	for range 2 {
		require.NoError(t, os.RemoveAll(d.Path))
		require.Equal(t, []string{"Path"}, fieldsOf(s.Rotate(t.Context(), now)))
		sign(t, s, "", "", now)
		require.NoError(t, os.Mkdir(d.Path, 0o700))
		require.Equal(t, []string{"Path"}, fieldsOf(s.Rotate(t.Context(), now)))
		sign(t, s, "", "", now)
		require.Empty(t, files(t, d))
	}
}

// TestDirectoryCrash: a temporary file that a crash left behind is ignored, and removed after an hour.
func TestDirectoryCrash(t *testing.T) {
	t.Parallel()
	d := directory(t)
	s := open(t, d)
	name := keyset.TempPrefix + "1"
	require.NoError(t, os.WriteFile(filepath.Join(d.Path, name), []byte("half a k"), 0o600))
	require.NoError(t, s.Rotate(t.Context(), time.Now()))
	require.Contains(t, files(t, d), name)
	require.NoError(t, s.Rotate(t.Context(), time.Now().Add(61*time.Minute)))
	require.Equal(t, []string{"0001.pem"}, files(t, d))
}

// TestDirectorySet: the set of a directory can be used like every other set, but its keys are those of the files.
func TestDirectorySet(t *testing.T) {
	t.Parallel()
	s := open(t, directory(t))
	require.Error(t, s.Add(generate(t, keyset.EdDSA), 0, time.Now()))
	require.Error(t, s.Replace([]keyset.Key{generate(t, keyset.EdDSA)}))
	require.Contains(t, fmt.Sprint(s), s.States()[0].KID)
	plain := newSet(t, generate(t, keyset.EdDSA))
	require.Error(t, plain.Rotate(t.Context(), epoch))
	plain.Run(t.Context()) // returns at once
}

// TestDirectoryRunLogsErrors: an error does not end Run, and reaches the log without a key.
func TestDirectoryRunLogsErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := directory(t)
		var log lockedBuffer
		d.Logger = slog.New(slog.NewTextHandler(&log, nil))
		s := open(t, d)
		foreign := filepath.Join(d.Path, "0009.pem")
		require.NoError(t, os.WriteFile(foreign, []byte("x"), 0o600))
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		require.Equal(t, 19, strings.Count(log.String(), "key rotation failed"), "at once, and every five minutes after an error")
		require.Contains(t, log.String(), "0009.pem")
		require.NoError(t, os.Remove(foreign))
		time.Sleep(48 * time.Hour)
		stop()
		running.Wait()
		require.Equal(t, 19, strings.Count(log.String(), "\n"))
		require.NotContains(t, files(t, d), "0001.pem", "rotation went on")
	})
}

// sameKeys reports whether every node publishes the same keys and verifies the tokens of the others.
func sameKeys(t testing.TB, now time.Time, nodes ...*keyset.Set) bool {
	t.Helper()
	doc, _ := nodes[0].JWKS(now)
	for _, a := range nodes {
		if got, _ := a.JWKS(now); !bytes.Equal(doc, got) {
			return false
		}
		for _, b := range nodes {
			if _, err := b.VerifyIDToken(sign(t, a, "", "", now), now); err != nil {
				return false
			}
		}
	}
	return true
}

// TestDirectoryInterleaved: another node creates the key between loading and linking. A control that overwrites the file instead
// must be noticed.
func TestDirectoryInterleaved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		link func(oldName, newName string) error
		same bool
	}{"link": {os.Link, true}, "rename, the control": {os.Rename, false}} {
		d := directory(t)
		d.Now = at(epoch)
		var other *keyset.Set
		due := epoch.Add(4 * time.Hour)
		var between func()
		slow := d.WithLink(func(oldName, newName string) error {
			between()
			return c.link(oldName, newName)
		})
		between = func() { other = open(t, d) }
		s := open(t, slow)
		require.Equal(t, c.same, sameKeys(t, epoch, s, other), "%s: first key", name)
		if !c.same {
			continue
		}
		between = func() { require.NoError(t, other.Rotate(t.Context(), due)) }
		require.NoError(t, s.Rotate(t.Context(), due))
		require.True(t, sameKeys(t, due, s, other), "%s: successor", name)
		require.Equal(t, []string{"0001.pem", "0002.pem"}, files(t, d))
	}
}

// TestDirectoryRace: two nodes open and rotate one directory at the same time, 500 times. A control that overwrites files
// instead of linking them must be noticed.
func TestDirectoryRace(t *testing.T) {
	t.Parallel()
	rounds := 500
	if testing.Short() {
		rounds = 50
	}
	agree := func(link func(string, string) error, rounds int) bool {
		d := directory(t).WithLink(link)
		d.Now = at(epoch)
		for range rounds {
			if !raceOnce(t, d) {
				return false
			}
			require.NoError(t, os.RemoveAll(d.Path))
		}
		return true
	}
	require.True(t, agree(os.Link, slow.Rounds(rounds)))
	require.False(t, agree(os.Rename, rounds), "the control")
}

// raceOnce opens and rotates a directory on two nodes at the same time. It reports whether they agree.
func raceOnce(t *testing.T, d keyset.Directory) bool {
	now := epoch
	var nodes [2]*keyset.Set
	together := func(do func(n int) error) {
		t.Helper()
		var wg sync.WaitGroup
		start := make(chan struct{})
		errs := make([]error, len(nodes))
		for n := range nodes {
			wg.Go(func() {
				<-start
				errs[n] = do(n)
			})
		}
		close(start)
		wg.Wait()
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
	}
	together(func(n int) (err error) {
		nodes[n], err = d.Open()
		return err
	})
	if !sameKeys(t, now, nodes[:]...) {
		return false
	}
	now = now.Add(4 * time.Hour)
	together(func(n int) error { return nodes[n].Rotate(t.Context(), now) })
	return sameKeys(t, now, nodes[:]...)
}

func TestMarshalPEM(t *testing.T) {
	t.Parallel()
	for _, k := range []keyset.Key{fixture(t, keyset.PS256), certify(t, generate(t, keyset.ES256)), generate(t, keyset.EdDSA)} {
		text, err := keyset.MarshalPEM(k)
		require.NoError(t, err)
		got, err := keyset.ParsePEM(text, k.Alg)
		require.NoError(t, err)
		require.Equal(t, k, got)
	}
	hsm := generate(t, keyset.EdDSA)
	hsm.Signer = opaque{hsm.Signer}
	_, err := keyset.MarshalPEM(hsm)
	require.ErrorContains(t, err, hsm.KID)
	_, err = keyset.MarshalPEM(keyset.Key{})
	require.Error(t, err)
}
