package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// process is a child, seen from the parent.
type process struct {
	subject subject
	cmd     *exec.Cmd
	in      io.WriteCloser
	enc     *gob.Encoder
	dec     *gob.Decoder
	stderr  *stderr
	opened  reply
	ended   *ended // set if the child ended before it was closed
}

// ended is the error of a child that ended before it was closed.
type ended struct {
	subject subject
	reason  string
}

// Error names the subject and the reason that its process printed last.
func (e *ended) Error() string { return e.subject.name + ": the process ended: " + e.reason }

// stderr forwards what a child writes, line by line, until the line that says why the child ends. It drops what follows, which is a dump
// of all goroutines.
type stderr struct {
	out   io.Writer
	line  []byte
	fatal string
}

// Write forwards whole lines and keeps the rest until its line ends. It never fails.
func (w *stderr) Write(p []byte) (int, error) {
	for _, c := range p {
		if w.line = append(w.line, c); c == '\n' {
			w.flush()
		}
	}
	return len(p), nil
}

func (w *stderr) flush() {
	line := w.line
	w.line = w.line[:0]
	switch {
	case w.fatal != "":
	case bytes.HasPrefix(line, []byte("fatal error")), bytes.HasPrefix(line, []byte("panic")):
		w.fatal = string(bytes.TrimSpace(line))
	default:
		_, _ = w.out.Write(line) // a lost line of a log is no reason to stop
	}
}

// start starts a child and opens its subject.
func start(s subject, set settings) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{subject: s, cmd: exec.Command(self), stderr: &stderr{out: os.Stderr}}
	p.cmd.Env = append(os.Environ(), childEnv+"="+s.name, "GOMAXPROCS=1")
	p.cmd.Stderr = p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.enc, p.dec = gob.NewEncoder(p.in), gob.NewDecoder(out)
	if p.opened, err = p.call(command{Do: "open", Set: set}); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *process) call(c command) (r reply, err error) {
	if p.ended != nil {
		return r, p.ended
	}
	if err := errors.Join(p.enc.Encode(c), p.dec.Decode(&r)); err != nil {
		return r, p.end(err)
	}
	if r.Err != "" {
		return r, fmt.Errorf("%s: %s", p.subject.name, r.Err)
	}
	return r, nil
}

// end returns the error of a child that does not reply.
func (p *process) end(err error) error {
	err = errors.Join(err, p.close())
	p.stderr.flush()
	if p.ended = (&ended{p.subject, p.stderr.fatal}); p.ended.reason == "" {
		p.ended.reason = strings.ReplaceAll(err.Error(), "\n", ", ")
	}
	return p.ended
}

// close ends the child.
func (p *process) close() error {
	if p.ended != nil {
		return nil
	}
	return errors.Join(p.in.Close(), p.cmd.Wait())
}

// survive returns nil if err is the end of the process of a peer, and lists it: the cell is a dash, and the run goes on. It returns every
// other error, also the end of the other processes.
func (b *bench) survive(where string, err error) error {
	e, ok := errors.AsType[*ended](err)
	if !ok || !e.subject.peer() {
		return err
	}
	b.lost = append(b.lost, where+": "+e.Error())
	fmt.Fprintf(b.log, "%s: %v\n", where, e)
	return nil
}

// group is one child for each subject that has an operation.
type group struct {
	op        *operation
	public    crypto.PublicKey
	processes []*process
}

// open starts the children of an operation. The lengths of the texts that the floor signs are those of portner.
func (b *bench) open(where string, op *operation, alg string) (g *group, err error) {
	set := settings{Op: op.name, Alg: alg, Key: b.keys[alg], ClientKey: b.keys["client"]}
	key, err := set.signer()
	if err != nil {
		return nil, err
	}
	if op.signs() {
		if set.Signed, err = b.signedBy(op, set, key.Public()); err != nil {
			return nil, err
		}
	}
	g = &group{op: op, public: key.Public()}
	for _, s := range subjects() {
		if s.lacking(op.name, alg) != "" {
			continue
		}
		p, err := start(s, set)
		if err = b.survive(where, err); err != nil {
			return nil, errors.Join(fmt.Errorf("%s %s: %w", op.name, alg, err), g.close())
		}
		if p == nil {
			continue
		}
		g.processes = append(g.processes, p)
		if p.opened.Lacks {
			return nil, errors.Join(fmt.Errorf("%s does not have %s, and the reason is missing", s.name, op.name), g.close())
		}
	}
	return g, nil
}

// signedBy returns the lengths of the texts that portner signs in the operation.
func (b *bench) signedBy(op *operation, set settings, public crypto.PublicKey) ([]int, error) {
	p, err := start(portnerSubject(), set)
	if err != nil {
		return nil, err
	}
	r, err := p.run(op, 1, 1, public)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	t, err := readTokens(&r.Answers[0])
	return t.signed(), errors.Join(err, p.close())
}

// run measures n operations and verifies every answer.
func (p *process) run(op *operation, n, workers int, public crypto.PublicKey) (reply, error) {
	r, err := p.call(command{Do: "run", N: n, Workers: workers})
	if err != nil || op.prepare == nil {
		return r, err
	}
	for i := range r.Answers {
		if err := p.verify(op, &r.Answers[i], public); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (p *process) verify(op *operation, a *answer, public crypto.PublicKey) error {
	var err error
	if p.subject.silent {
		if a.Status >= 400 {
			err = fmt.Errorf("status %d: %.300s", a.Status, a.Body)
		}
	} else {
		err = op.check(a, public)
	}
	if err != nil {
		return fmt.Errorf("%s, %s: %w", p.subject.name, op.name, err)
	}
	return nil
}

func (g *group) close() error {
	var errs []error
	for _, p := range g.processes {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// keys returns a signing key for each algorithm, and one of the client.
func keys() (map[string][]byte, error) {
	_, ed, err1 := ed25519.GenerateKey(rand.Reader)
	ec, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	client, err3 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rs, err4 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for name, key := range map[string]any{eddsa: ed, es256: ec, rs256: rs, "client": client} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		all[name] = der
	}
	return all, nil
}
