package catalog

import (
	"errors"
	"net/http"
	"time"

	"github.com/redisimnest/redisimnest/examples/shop/internal/web"
)

// Routes adds the routes for everybody.
func (c *Catalog) Routes(rs web.Routes) {
	rs.Handle("GET", "/products/{id}", c.getProduct)
	rs.Handle("GET", "/bestsellers", c.getBestsellers)
}

// OperatorRoutes adds the routes for those who run the shop.
func (c *Catalog) OperatorRoutes(rs web.Routes, through ...web.Middleware) {
	rs.Handle("DELETE", "/prices", c.deletePrices, through...)
	rs.Handle("GET", "/sales/{day}", c.getSales, through...)
}

func (c *Catalog) getProduct(w http.ResponseWriter, r *http.Request) error {
	product, err := c.Product(r.Context(), r.PathValue("id"))
	if errors.Is(err, ErrNoProduct) {
		return web.Status(http.StatusNotFound, err)
	}
	if err != nil {
		return err
	}
	return web.Write(w, http.StatusOK, product)
}

func (c *Catalog) getBestsellers(w http.ResponseWriter, r *http.Request) error {
	best, err := c.Best(r.Context(), 10)
	if err != nil {
		return err
	}
	return web.Write(w, http.StatusOK, best)
}

func (c *Catalog) deletePrices(w http.ResponseWriter, r *http.Request) error {
	if err := c.Renew(r.Context()); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *Catalog) getSales(w http.ResponseWriter, r *http.Request) error {
	day, err := time.Parse(time.DateOnly, r.PathValue("day"))
	if err != nil {
		return web.Status(http.StatusBadRequest, errors.New("a day is written 2006-01-02"))
	}
	n, err := c.SoldOn(r.Context(), day)
	if err != nil {
		return err
	}
	return web.Write(w, http.StatusOK, map[string]int64{"sold": n})
}
