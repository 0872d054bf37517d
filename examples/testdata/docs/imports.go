// Package docs is what the pages in docs take for granted: a file of the page's name, or for pages
// that have none quickstart.go. The files have no imports; each name that they or the pages use
// is imported as here. See TestSnippets.
package docs

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	scs "github.com/alexedwards/scs/v2"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/codec/msgpack"
	"github.com/redisimnest/redisimnest/env"
	"github.com/redisimnest/redisimnest/examples/quickstart/app"
	"github.com/redisimnest/redisimnest/examples/quickstart/users"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/acl"
	"github.com/redisimnest/redisimnest/nest/audit"
	"github.com/redisimnest/redisimnest/nest/keyadmin"
	"github.com/redisimnest/redisimnest/nest/keyctl"
	"github.com/redisimnest/redisimnest/nest/nestotel"
	"github.com/redisimnest/redisimnest/nest/nestscs"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/watch"
	"github.com/redisimnest/redisimnest/secure"
)
