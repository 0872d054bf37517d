package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// measureChunk is how many commands are sent together. From 2,000 on, the client takes another
// connection.
const measureChunk = 500

// question is what is asked about a key at the end of a step.
type question struct {
	key        string
	inspection *nest.Inspection
	tally      *tally
	path       []string // of the group, if nothing declares the key
	most       int
	measured   bool // its memory
	weight     float64
	of         string // the key that a companion serves
	orphan     func() // called if that does not exist; nil if it is not asked for
}

// measurer asks about single keys. It sends no commands of references, which would move a key that
// stands under a former name.
type measurer struct {
	client  rueidis.Client
	refused string // why the server does not measure
}

// ask asks the questions.
func (m *measurer) ask(ctx context.Context, questions []question) error {
	cmds := make(rueidis.Commands, 0, min(len(questions), measureChunk))
	answers := make([]func(a rueidis.RedisMessage, err error) error, 0, cap(cmds))
	send := func() error {
		for i, a := range m.client.DoMulti(ctx, cmds...) {
			message, err := a.ToMessage()
			if err := answers[i](message, err); err != nil {
				return err
			}
		}
		cmds, answers = cmds[:0], answers[:0]
		return nil
	}
	for i := range questions {
		q := &questions[i]
		if q.measured && m.refused == "" {
			cmds = append(cmds, m.client.B().Arbitrary("MEMORY", "USAGE").Keys(q.key).Build().ToRetryable())
			answers = append(answers, func(a rueidis.RedisMessage, err error) error { return m.measured(q, a, err) })
		}
		if q.orphan != nil {
			cmds = append(cmds, m.client.B().Arbitrary("EXISTS").Keys(q.of).Build().ToRetryable())
			answers = append(answers, func(a rueidis.RedisMessage, err error) error {
				if err != nil {
					return fmt.Errorf("ask whether a companion's key exists (EXISTS): %w", discreet(err))
				}
				if n, err := a.AsInt64(); err == nil && n == 0 {
					q.orphan()
				}
				return nil
			})
		}
		if len(cmds) >= measureChunk {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if len(cmds) == 0 {
		return nil
	}
	return send()
}

// measured takes an answer of MEMORY USAGE.
func (m *measurer) measured(q *question, a rueidis.RedisMessage, err error) error {
	if rueidis.IsRedisNil(err) {
		return nil // it no longer exists
	}
	if err == nil {
		var bytes int64
		if bytes, err = a.AsInt64(); err == nil {
			q.tally.measure(bytes, q.weight)
			if isLarge(q.tally.largest, bytes, q.most) {
				q.tally.largest = keepLargest(q.tally.largest, Sized{q.inspection.Match.String(), bytes, q.inspection.Len}, q.most)
			}
			return nil
		}
	}
	if re, ok := rueidis.IsRedisErr(err); ok && refuses(re.Error()) {
		m.refused = "the server refuses MEMORY USAGE: " + discreet(re).Error()
		return nil
	}
	return fmt.Errorf("ask how much memory a key takes (MEMORY USAGE): %w", discreet(err))
}

// discreet returns an error without the arguments that a server repeats of a command that it does
// not know: they are names of keys.
func discreet(err error) error {
	if re, ok := rueidis.IsRedisErr(err); ok {
		if text, _, repeats := strings.Cut(re.Error(), ", with args"); repeats {
			return errors.New(text)
		}
	}
	return err
}

// refuses reports whether a server does not know a command, or the user may not send it.
func refuses(text string) bool {
	text = strings.ToLower(strings.TrimPrefix(text, "ERR "))
	return strings.HasPrefix(text, "unknown") || strings.HasPrefix(text, "syntax error") || strings.HasPrefix(text, "noperm")
}
