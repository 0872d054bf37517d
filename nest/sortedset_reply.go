package nest

import (
	"strconv"

	"github.com/redis/rueidis"
)

// How answers become scores and scored members. A score has a type of its own, double, on newer
// connections; on older ones and in scripts it is text. Pairs come as lists of two or flat.

func replyScore(_ *mounted, a rueidis.RedisMessage) (float64, error) {
	f, err := a.AsFloat64()
	if err != nil {
		return 0, errAnswer
	}
	return f, nil
}

// replyFoundScore reads a score or nil.
func replyFoundScore(m *mounted, a rueidis.RedisMessage) (found[float64], error) {
	if a.IsNil() {
		return found[float64]{}, nil
	}
	f, err := replyScore(m, a)
	return found[float64]{f, err == nil}, err
}

func replyScores(m *mounted, a rueidis.RedisMessage) ([]Optional[float64], error) {
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	scores := make([]Optional[float64], len(answers))
	for i, answer := range answers {
		f, err := replyFoundScore(m, answer)
		if err != nil {
			return nil, err
		}
		scores[i] = Optional[float64]{f.value, f.ok}
	}
	return scores, nil
}

func replyRanked(m *mounted, a rueidis.RedisMessage) (found[Ranked], error) {
	if a.IsNil() {
		return found[Ranked]{}, nil
	}
	parts, err := a.ToArray()
	if err != nil || len(parts) != 2 {
		return found[Ranked]{}, errAnswer
	}
	rank, err := replyInt(m, parts[0])
	if err != nil {
		return found[Ranked]{}, err
	}
	score, err := replyScore(m, parts[1])
	return found[Ranked]{Ranked{rank, score}, err == nil}, err
}

// scoredText decodes a member and its score.
func scoredText[T any](m *mounted, member, score string) (Scored[T], error) {
	f, err := strconv.ParseFloat(score, 64)
	if err != nil {
		return Scored[T]{}, errAnswer
	}
	v, err := elementsIn[T](m).decodeText(m, member)
	return Scored[T]{v, f}, err
}

// scoredPair decodes a member and its score.
func scoredPair[T any](m *mounted, member, score rueidis.RedisMessage) (Scored[T], error) {
	f, err := replyScore(m, score)
	if err != nil {
		return Scored[T]{}, err
	}
	v, err := elementsIn[T](m).decode(m, member)
	return Scored[T]{v, f}, err
}

// replyScored reads members with their scores. Nil stands for none.
func replyScored[T any](m *mounted, a rueidis.RedisMessage) ([]Scored[T], error) {
	if a.IsNil() {
		return nil, nil
	}
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	if len(answers) == 0 {
		return nil, nil
	}
	nested, step := answers[0].IsArray(), 1
	if !nested {
		step = 2
	}
	if len(answers)%step != 0 {
		return nil, errAnswer
	}
	all := make([]Scored[T], len(answers)/step)
	for i := range all {
		pair := answers[i*step : i*step+step]
		if nested {
			if pair, err = pair[0].ToArray(); err != nil || len(pair) != 2 {
				return nil, errAnswer
			}
		}
		if all[i], err = scoredPair[T](m, pair[0], pair[1]); err != nil {
			return nil, locate("element "+strconv.Itoa(i), err)
		}
	}
	return all, nil
}

// replyAllScored reads all members. If there are none, the key does not exist, and replyAllScored
// returns the declared default.
func replyAllScored[T any](m *mounted, a rueidis.RedisMessage) ([]Scored[T], error) {
	all, err := replyScored[T](m, a)
	if err != nil || len(all) > 0 {
		return all, err
	}
	z := m.bound.(*zset[T])
	members, err := z.defaults(m)
	for i, v := range members {
		all = append(all, Scored[T]{v, z.scores[i]})
	}
	return all, err
}

// replyOneScored reads the answer to a pop of one member: one pair or nothing.
func replyOneScored[T any](m *mounted, a rueidis.RedisMessage) (found[Scored[T]], error) {
	all, err := replyScored[T](m, a)
	if err != nil || len(all) == 0 {
		return found[Scored[T]]{}, err
	}
	return found[Scored[T]]{all[0], true}, nil
}

// replyScoredPopped reads the key, the member and the score that BZPOPMIN returns, or nil.
func replyScoredPopped[T any](m *mounted, a rueidis.RedisMessage) (found[Scored[T]], error) {
	if a.IsNil() {
		return found[Scored[T]]{}, nil
	}
	parts, err := a.ToArray()
	if err != nil || len(parts) != 3 {
		return found[Scored[T]]{}, errAnswer
	}
	s, err := scoredPair[T](m, parts[1], parts[2])
	return found[Scored[T]]{s, err == nil}, err
}

// replyScoredPoppedN reads the key and the pairs that BZMPOP returns, or nil.
func replyScoredPoppedN[T any](m *mounted, a rueidis.RedisMessage) ([]Scored[T], error) {
	if a.IsNil() {
		return nil, nil
	}
	parts, err := a.ToArray()
	if err != nil || len(parts) != 2 {
		return nil, errAnswer
	}
	return replyScored[T](m, parts[1])
}
