package docs

var (
	Age     = nest.Key[int]("age", nest.Default(0))
	Name    = nest.Key[string]("name")
	Booking = nest.Lock("booking", nest.TTL(30))
	User    = nest.Cluster("user:<user_id>", nest.HashTag(), nest.Sub(Age, Name, Booking))

	Balance = nest.Key[int]("balance:<account>", nest.Default(0))
	Bank    = nest.Cluster("bank:<id>", nest.HashTag(), nest.Sub(Balance))

	root, user, bank nest.Scope
	ali, bea         nest.KeyRef[int]

	errPoor = errors.New("not enough money")
)

func Start(ctx context.Context, client rueidis.Client) (err error) {
	root, err = nest.Open(client, nest.Cluster("batches", nest.Sub(User, Bank)))
	user, bank = User.At(root, 42), Bank.At(root, "first")
	ali, bea = Balance.At(bank, "ali"), Balance.At(bank, "bea")
	return errors.Join(err, ali.Set(ctx, 100))
}
