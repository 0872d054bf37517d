package orders

import (
	"context"
	"errors"
	"net/http"

	"github.com/redisimnest/redisimnest/examples/shop/internal/web"
)

// Who returns the customer of a request.
type Who func(ctx context.Context) string

// Routes adds the routes of customers. The middleware is what makes who work. Streams of changes
// end when closing does.
func (o *Orders) Routes(closing context.Context, rs web.Routes, who Who, through ...web.Middleware) {
	h := handler{o, who}
	rs.Handle("GET", "/cart", h.getCart, through...)
	rs.Handle("PUT", "/cart/{product}", h.putPieces, through...)
	rs.Handle("DELETE", "/cart/{product}", h.deletePieces, through...)
	rs.Handle("POST", "/orders", h.postOrder, through...)
	rs.Handle("GET", "/orders/{order}", h.getOrder, through...)
	rs.Stream("GET", "/orders", func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(closing, cancel)()
		return o.watch(ctx, w, who(ctx))
	}, through...)
}

type handler struct {
	orders *Orders
	who    Who
}

func (h handler) getCart(w http.ResponseWriter, r *http.Request) error {
	pieces, err := h.orders.Cart(r.Context(), h.who(r.Context()))
	if err != nil {
		return err
	}
	return web.Write(w, http.StatusOK, pieces)
}

func (h handler) putPieces(w http.ResponseWriter, r *http.Request) error {
	body, err := web.Read[struct {
		Pieces int64 `json:"pieces"`
	}](w, r)
	if err != nil {
		return err
	}
	if err := h.orders.SetPieces(r.Context(), h.who(r.Context()), r.PathValue("product"), body.Pieces); err != nil {
		return status(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h handler) deletePieces(w http.ResponseWriter, r *http.Request) error {
	if err := h.orders.Remove(r.Context(), h.who(r.Context()), r.PathValue("product")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h handler) postOrder(w http.ResponseWriter, r *http.Request) error {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return web.Status(http.StatusBadRequest, errors.New("the header Idempotency-Key is missing"))
	}
	order, err := h.orders.Place(r.Context(), h.who(r.Context()), key)
	if err != nil {
		return status(err)
	}
	w.Header().Set("Location", r.URL.Path+"/"+order.ID)
	return web.Write(w, http.StatusCreated, order)
}

func (h handler) getOrder(w http.ResponseWriter, r *http.Request) error {
	order, err := h.orders.Order(r.Context(), h.who(r.Context()), r.PathValue("order"))
	if err != nil {
		return status(err)
	}
	return web.Write(w, http.StatusOK, order)
}

// status says what the errors of this package are in HTTP.
func status(err error) error {
	switch {
	case errors.Is(err, ErrNoOrder):
		return web.Status(http.StatusNotFound, ErrNoOrder)
	case errors.Is(err, ErrNoProduct):
		return web.Status(http.StatusNotFound, ErrNoProduct)
	case errors.Is(err, ErrQuantity):
		return web.Status(http.StatusBadRequest, ErrQuantity)
	case errors.Is(err, ErrEmpty):
		return web.Status(http.StatusConflict, ErrEmpty)
	case errors.Is(err, ErrChanged):
		return web.Status(http.StatusConflict, ErrChanged)
	}
	return err
}
