package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// measureChunk is how many commands are sent together. From 2,000 on, the client takes another
// connection.
const measureChunk = 500

// patience is how long a question is asked again that no server can answer now, as those of package
// nest are.
const patience = 100 * time.Millisecond

// question is what is asked about a key at the end of a step, and the answers.
type question struct {
	inspection *nest.Inspection
	path       []string // of the group, if nothing declares the key
	measured   bool     // its memory is asked for
	weight     float64
	of         string // the key that a companion serves, if it is asked whether that exists

	answered bool  // bytes says something
	bytes    int64 // that the key takes
	orphan   bool  // of does not exist
}

// measurer asks about single keys. It sends no commands of references, which would move a key that
// stands under a former name.
type measurer struct {
	client  rueidis.Client
	refused string // why the server does not measure
}

// asking is a command, and what takes its answer.
type asking struct {
	command func() rueidis.Completed
	take    func(a rueidis.RedisMessage, err error) error
}

// ask asks the questions.
func (m *measurer) ask(ctx context.Context, questions []question) error {
	list := make([]asking, 0, min(len(questions), measureChunk))
	for i := range questions {
		q := &questions[i]
		if q.measured && m.refused == "" {
			list = append(list, asking{
				func() rueidis.Completed {
					return m.client.B().Arbitrary("MEMORY", "USAGE").Keys(q.inspection.Key()).Build().ToRetryable()
				},
				func(a rueidis.RedisMessage, err error) error { return m.measured(q, a, err) },
			})
		}
		if q.of != "" {
			list = append(list, asking{
				func() rueidis.Completed { return m.client.B().Arbitrary("EXISTS").Keys(q.of).Build().ToRetryable() },
				q.exists,
			})
		}
		if len(list) >= measureChunk {
			if err := m.send(ctx, list); err != nil {
				return err
			}
			list = list[:0]
		}
	}
	return m.send(ctx, list)
}

// send sends commands together. All of them read: what a server cannot answer now is asked again.
func (m *measurer) send(ctx context.Context, list []asking) error {
	for began := time.Now(); len(list) > 0; pause(ctx, patience/10) {
		cmds := make(rueidis.Commands, len(list))
		for i := range list {
			cmds[i] = list[i].command()
		}
		final := time.Since(began) > patience || ctx.Err() != nil
		var left []asking
		for i, a := range m.client.DoMulti(ctx, cmds...) {
			message, err := a.ToMessage()
			if isAway(err) && !final {
				left = append(left, list[i])
			} else if err := list[i].take(message, err); err != nil {
				return err
			}
		}
		if list = left; len(list) == 0 {
			break
		}
	}
	return nil
}

// isAway reports whether an error says that no server could be asked.
func isAway(err error) bool {
	if err == nil || rueidis.IsRedisNil(err) || errors.Is(err, context.Canceled) || errors.Is(err, rueidis.ErrClosing) {
		return false
	}
	re, answered := rueidis.IsRedisErr(err)
	if !answered {
		return true
	}
	switch first, _, _ := strings.Cut(re.Error(), " "); first {
	case "LOADING", "CLUSTERDOWN", "MASTERDOWN", "BUSY", "TRYAGAIN", "MOVED", "ASK":
		return true
	}
	return false
}

// unanswered returns the error of a question that has no answer.
func unanswered(what string, err error) error {
	told := discreet(err)
	if isAway(err) && !errors.Is(err, nest.ErrAway) {
		return fmt.Errorf("%w: %s: %w", nest.ErrAway, what, told)
	}
	return fmt.Errorf("%s: %w", what, told)
}

// exists takes an answer of EXISTS.
func (q *question) exists(a rueidis.RedisMessage, err error) error {
	var n int64
	if err == nil {
		n, err = a.AsInt64()
	}
	if err != nil {
		return unanswered("ask whether a companion's key exists (EXISTS)", err)
	}
	q.orphan = n == 0
	return nil
}

// measured takes an answer of MEMORY USAGE.
func (m *measurer) measured(q *question, a rueidis.RedisMessage, err error) error {
	if rueidis.IsRedisNil(err) {
		return nil // it no longer exists
	}
	if err == nil {
		if q.bytes, err = a.AsInt64(); err == nil {
			q.answered = true
			return nil
		}
	}
	if re, ok := rueidis.IsRedisErr(err); ok && refuses(re.Error()) {
		m.refused = "the server refuses MEMORY USAGE: " + discreet(re).Error()
		return nil
	}
	return unanswered("ask how much memory a key takes (MEMORY USAGE)", err)
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
