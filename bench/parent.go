package main

import (
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
)

// process is a child, seen from the parent.
type process struct {
	subject subject
	cmd     *exec.Cmd
	in      io.WriteCloser
	enc     *gob.Encoder
	dec     *gob.Decoder
	opened  reply
}

// start starts a child and opens its subject.
func start(s subject, set settings) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{subject: s, cmd: exec.Command(self)}
	p.cmd.Env = append(os.Environ(), childEnv+"="+s.name, "GOMAXPROCS=1")
	p.cmd.Stderr = os.Stderr
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
	if err := p.enc.Encode(c); err != nil {
		return r, fmt.Errorf("%s: %w", p.subject.name, err)
	}
	if err := p.dec.Decode(&r); err != nil {
		return r, fmt.Errorf("%s: %w", p.subject.name, err)
	}
	if r.Err != "" {
		return r, fmt.Errorf("%s: %s", p.subject.name, r.Err)
	}
	return r, nil
}

// close ends the child.
func (p *process) close() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }

// group is one child for each subject that has an operation.
type group struct {
	op        *operation
	public    crypto.PublicKey
	processes []*process
	missing   map[string]string // by subject, why it does not have the operation
}

// open starts the children of an operation. The lengths of the texts that the floor signs are those of portner.
func (b *bench) open(op *operation, alg string) (g *group, err error) {
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
	g = &group{op: op, public: key.Public(), missing: map[string]string{}}
	for _, s := range subjects() {
		if reason := s.lacking(op.name, alg); reason != "" {
			g.missing[s.name] = reason
			continue
		}
		p, err := start(s, set)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s %s: %w", op.name, alg, err), g.close())
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
