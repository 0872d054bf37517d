package docs

var (
	root nest.Scope
	db   source
)

func Start(_ context.Context, client rueidis.Client) (err error) {
	root, err = nest.Open(client, nest.Cluster("caching", nest.Sub(Price)))
	return err
}

// source stands for a database.
type source struct{}

func (source) price(context.Context) (float64, error) { return 9.5, nil }

func (source) pricesOf(_ context.Context, products []int) (map[int]float64, error) {
	fmt.Println("loading", products)
	prices := make(map[int]float64)
	for _, p := range products {
		prices[p], _ = strconv.ParseFloat(fmt.Sprint(p)+".5", 64)
	}
	return prices, nil
}
