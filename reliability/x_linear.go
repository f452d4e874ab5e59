package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/portner-go/portner/internal/history"
)

// recorderCommand is the argument with which the program runs as a recorder: it reads batches, runs them, and writes their histories.
const recorderCommand = "record"

// recorderConfig is the first line that a recorder reads.
type recorderConfig struct{ Store, Variant string }

func runRecorder(in io.Reader, out io.Writer) error {
	r, ctx := bufio.NewReader(in), context.Background()
	line, err := r.ReadBytes('\n')
	if err != nil {
		return err
	}
	var cfg recorderConfig
	if err := json.Unmarshal(line, &cfg); err != nil {
		return err
	}
	var handles []history.Handle
	for range 2 {
		s, err := open(ctx, opening{url: cfg.Store, conns: 4})
		if err != nil {
			return err
		}
		defer s.close()
		full, err := variant(ctx, nodeConfig{Store: cfg.Store, Variant: cfg.Variant}, nil, s.fullStore)
		if err != nil {
			return err
		}
		handles = append(handles, history.Handle{Store: full, PushedRequests: full, Replay: full})
	}
	w := json.NewEncoder(out)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return nil // the end
		}
		var b history.Batch
		if err := json.Unmarshal(line, &b); err != nil {
			return err
		}
		if err := w.Encode(history.Run(ctx, b, handles...)); err != nil {
			return err
		}
	}
}

// recorder is a process that records.
type recorder struct {
	in  io.WriteCloser
	out *json.Decoder
}

func (t *trial) recorder(cfg recorderConfig) *recorder {
	self, err := os.Executable()
	t.must(err)
	cmd := exec.CommandContext(t, self, recorderCommand)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	t.must(err)
	out, err := cmd.StdoutPipe()
	t.must(err)
	t.must(cmd.Start())
	t.defer_(func() { _ = in.Close(); _ = cmd.Wait() })
	t.must(json.NewEncoder(in).Encode(cfg))
	return &recorder{in, json.NewDecoder(out)}
}

// linearizability records the calls of two processes and searches an order that explains the results.
func linearizability(t *trial) { record(t, "", t.size(12_000, 1_000_000)) }

func linearizabilityControl(t *trial) { record(t, readThenUpdate, 4000) }

func record(t *trial, defect string, calls int) {
	const processes, callers = 2, 4
	cfg := recorderConfig{t.backend(nil).url, defect}
	recorders := []*recorder{t.recorder(cfg), t.recorder(cfg)}
	recorded, batches, unknown := 0, 0, 0
	for ; recorded < calls; batches++ {
		b := history.Batch{
			Space: fmt.Sprintf("%d-%d", t.seed, batches), Seed: t.seed + uint64(batches), Processes: processes, Callers: callers, Steps: 40,
		}
		for i, r := range recorders {
			b.Process = i
			t.must(json.NewEncoder(r.in).Encode(b))
		}
		var all []history.Op
		for _, r := range recorders {
			var ops []history.Op
			t.must(r.out.Decode(&ops))
			all = append(all, ops...)
		}
		for _, op := range all {
			if op.Result == history.Unknown {
				unknown++
			}
		}
		recorded += len(all)
		if err := history.Check(all, 20*time.Second); err != nil {
			t.fail("%v", err)
			break
		}
		if len(all) == 0 {
			t.must(fmt.Errorf("a batch without calls"))
		}
	}
	t.count("calls", recorded)
	t.count("batches", batches)
	t.count("processes", processes)
	t.count("unknown", unknown)
}
