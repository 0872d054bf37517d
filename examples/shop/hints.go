package main

import (
	"fmt"
	"io"
)

// printHints prints how to try the service.
func printHints(out io.Writer, addr string, conf config) {
	where := "on the server that the environment names"
	if conf.embedded {
		where = "on an embedded server, which ends with it; REDIS_URL=redis://localhost:6379 would name another one"
	}
	_, _ = fmt.Fprintf(out, "The shop is at http://%s, %s.\n", addr, where)
	if conf.generated {
		_, _ = fmt.Fprintf(out, "The operator's password is %s; SHOP_OPERATOR_PASSWORD would name another one.\n", conf.operator.Reveal())
	}
	_, _ = fmt.Fprintf(out, `
  shop=http://%[1]s/shops/%[2]s; jar="-b cookies -c cookies"
  curl -d '{"name":"ali","password":"correct horse"}' $shop/accounts
  curl $jar -d '{"name":"ali","password":"correct horse"}' $shop/session
  curl $shop/products/tea
  curl $jar -X PUT -d '{"pieces":2}' $shop/cart/tea
  curl $jar -X POST -H 'Idempotency-Key: 1' $shop/orders    # twice is once
  curl $shop/bestsellers
  curl http://%[1]s/readyz -i
  http://%[1]s/office/keys/                   # in a browser, as operator

`, addr, conf.tenants[0])
}
