package keyadmin

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"

	"github.com/redisimnest/redisimnest/nest/audit"
)

//go:embed assets
var assets embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"number": number, "size": size, "memory": memory, "param": param}).ParseFS(assets, "assets/*.html"))

// frame is what all pages have.
type frame struct {
	Title   string // of the keyspace
	Here    string // the name of the page
	Refresh int    // in seconds, or 0
}

func (s *site) frame(here string) frame {
	title := s.scope.String()
	if title == "" {
		title = "(no prefix)"
	}
	return frame{Title: title, Here: here}
}

// render sends a page. It is made as a whole first, so that an error does not leave half of one.
func render(w http.ResponseWriter, name string, view any) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, view); err != nil {
		http.Error(w, "The page cannot be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // who asked has gone
}

func (s *site) sendStyle(w http.ResponseWriter, _ *http.Request) {
	style, err := assets.ReadFile("assets/style.css")
	if err != nil {
		http.Error(w, "The style cannot be read.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(style) // who asked has gone
}

// number returns a number with commas.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// size returns a number of bytes as a person reads it, in powers of 1024.
func size(bytes int64) string {
	if bytes < 1024 {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	value, unit := float64(bytes)/1024, 0
	for value >= 1023.95 && unit < len("KMGTPE")-1 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[unit])
}

// memory returns how much memory keys take, and says if that is an estimate.
func memory(s audit.Stats) string {
	switch {
	case !s.Measured():
		return "–"
	case s.Estimated():
		return "~" + size(s.Bytes)
	}
	return size(s.Bytes)
}
