package bench

import (
	"context"
	"slices"
	"testing"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/audit"
)

// BenchmarkRatioAudit audits a million keys, or with -short a hundred thousand, without their
// memory. It alternates with a bare loop of the same commands: SCAN with the same COUNT, then TYPE,
// PTTL and OBJECT ENCODING of all keys in one pipeline, and STRLEN of all in another one.
func BenchmarkRatioAudit(b *testing.B) {
	server := realServer(b)
	client := newClient(b, server)
	root, lead := crowd(b, client, server.Prefix(b))
	if err := fill(b.Context(), client, lead, crowdSize()); err != nil {
		b.Fatal(err)
	}
	walkInTurn(b, func() error { return nil },
		func(ctx context.Context) (int64, error) {
			report, err := audit.Run(ctx, root, audit.SampleMemory(0))
			if err != nil {
				return 0, err
			}
			return report.Total.Keys, report.Err()
		},
		func(ctx context.Context) (int64, error) {
			types, encodings, endless, length := map[string]int64{}, map[string]int64{}, int64(0), int64(0)
			return scanLoop(ctx, client, lead, func(names []string) (int64, error) {
				for part := range slices.Chunk(names, barePipeline) {
					if err := inspectBare(ctx, client, part, types, encodings, &endless, &length); err != nil {
						return 0, err
					}
				}
				return int64(len(names)), nil
			})
		})
}

// barePipeline is of how many keys the commands are sent together. A pipeline of 2,000 commands
// takes a connection of its own, which is slower.
const barePipeline = 500

// inspectBare asks about some strings, and adds up what the server says.
func inspectBare(ctx context.Context, client rueidis.Client, names []string, types, encodings map[string]int64, endless, length *int64) error {
	cmds := make(rueidis.Commands, 0, 3*len(names))
	for _, name := range names {
		cmds = append(cmds, client.B().Type().Key(name).Build(), client.B().Pttl().Key(name).Build(), client.B().ObjectEncoding().Key(name).Build())
	}
	answers := client.DoMulti(ctx, cmds...)
	for i := 0; i < len(answers); i += 3 {
		kind, err := answers[i].ToString()
		if err != nil {
			return err
		}
		ttl, err := answers[i+1].AsInt64()
		if err != nil {
			return err
		}
		encoding, err := answers[i+2].ToString()
		if err != nil {
			return err
		}
		types[kind]++
		encodings[encoding]++
		if ttl < 0 {
			*endless++
		}
	}
	cmds = cmds[:0]
	for _, name := range names {
		cmds = append(cmds, client.B().Strlen().Key(name).Build())
	}
	for _, a := range client.DoMulti(ctx, cmds...) {
		n, err := a.AsInt64()
		if err != nil {
			return err
		}
		*length += n
	}
	return nil
}
