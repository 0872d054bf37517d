package docs

var (
	client rueidis.Client
	mux    *http.ServeMux
	addr   string
)
