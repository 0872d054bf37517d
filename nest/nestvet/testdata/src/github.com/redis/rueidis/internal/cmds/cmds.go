// Package cmds has some of the client's builders.
package cmds

type (
	Builder   struct{}
	Get       struct{}
	GetKey    struct{}
	Mget      struct{}
	Arbitrary struct{}
	Set       struct{}
	SetKey    struct{}
	Completed struct{}
)

func (Builder) Get() Get                            { return Get{} }
func (Builder) Mget() Mget                          { return Mget{} }
func (Builder) Set() Set                            { return Set{} }
func (Builder) Arbitrary(words ...string) Arbitrary { return Arbitrary{} }
func (Get) Key(key string) GetKey                   { return GetKey{} }
func (Set) Key(key string) SetKey                   { return SetKey{} }
func (SetKey) Value(v string) GetKey                { return GetKey{} }
func (Mget) Key(key ...string) GetKey               { return GetKey{} }
func (Arbitrary) Keys(keys ...string) Arbitrary     { return Arbitrary{} }
func (Arbitrary) Args(args ...string) Arbitrary     { return Arbitrary{} }
func (GetKey) Build() Completed                     { return Completed{} }
