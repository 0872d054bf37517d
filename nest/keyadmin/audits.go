package keyadmin

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/audit"
)

// audits runs audits, one at a time, and keeps the report of the last one.
type audits struct {
	ctx  context.Context //nolint:containedctx // it bounds what goes on after a request has ended
	opts []audit.Option

	mu       sync.Mutex
	report   *audit.Report
	err      error
	stop     context.CancelFunc // of the audit that is running, or nil
	started  time.Time
	progress nest.WalkProgress
}

// begin starts an audit, unless one is running.
func (a *audits) begin(scope nest.Scope) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(a.ctx)
	a.stop, a.started, a.progress = cancel, time.Now(), nest.WalkProgress{}
	go func() {
		defer cancel()
		report, err := audit.Run(ctx, scope, append([]audit.Option{audit.Walk(nest.Progress(a.follow))}, a.opts...)...)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.stop, a.err = nil, err
		// What was stopped early does not take the place of a whole report.
		if report != nil && (report.Complete || a.report == nil || !a.report.Complete) {
			a.report = report
		}
	}()
}

func (a *audits) follow(p nest.WalkProgress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress = p
}

// end stops the audit that is running.
func (a *audits) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop != nil {
		a.stop()
	}
}

func (a *audits) last() *audit.Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.report
}

// state is how the audits stand. Percent is how much of the audit that is running is done, or 0 if
// that is not known.
func (a *audits) state() (running bool, p nest.WalkProgress, percent int, report *audit.Report, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if spent := time.Since(a.started); a.progress.Left > 0 {
		percent = int(100 * spent / (spent + a.progress.Left))
	}
	return a.stop != nil, a.progress, percent, a.report, a.err
}

// auditView is the page on which an audit is started and watched.
type auditView struct {
	frame

	Running bool
	Percent int
	Scanned string
	Rate    string
	Left    string
	Failed  string // why the last audit did not reach its end
	Report  *audit.Report
	Told    string
}

func (s *site) showAudit(w http.ResponseWriter, _ *http.Request) {
	running, p, percent, report, err := s.audits.state()
	v := auditView{frame: s.frame("audit"), Running: running, Report: report}
	switch {
	case running:
		v.Refresh = 2
		v.Percent = percent
		v.Scanned = number(p.Scanned)
		v.Rate = number(int64(p.Rate))
		if p.Left > 0 {
			v.Left = shortly(p.Left.Round(time.Second))
		}
	case errors.Is(err, context.Canceled):
		v.Failed = "The last audit was stopped."
	case err != nil:
		v.Failed = "The last audit has ended early. " + err.Error()
	}
	if report != nil {
		v.Told = told(report)
	}
	render(w, "audit.html", v)
}

// steerAudit starts or stops an audit, and shows the page again. Requests of other sites were
// refused before.
func (s *site) steerAudit(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	switch r.PostFormValue("do") {
	case "start":
		s.audits.begin(s.scope)
	case "stop":
		s.audits.end()
	default:
		http.Error(w, "An audit can be started or stopped.", http.StatusBadRequest)
		return
	}
	w.Header().Set("Location", "audit")
	w.WriteHeader(http.StatusSeeOther)
}

// showReport sends the last report as the page that package audit makes of it.
func (s *site) showReport(w http.ResponseWriter, _ *http.Request) {
	report := s.audits.last()
	if report == nil {
		http.Error(w, "There is no report yet: start an audit first.", http.StatusNotFound)
		return
	}
	// The page has a style of its own in it, which its own policy allows, and no links.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = report.HTML(w) // who asked has gone
}

// undeclaredView is the page of names that nothing declares.
type undeclaredView struct {
	frame

	Report *audit.Report
	Told   string
}

func (s *site) showUndeclared(w http.ResponseWriter, _ *http.Request) {
	v := undeclaredView{frame: s.frame("undeclared"), Report: s.audits.last()}
	if v.Report != nil {
		v.Told = told(v.Report)
	}
	render(w, "undeclared.html", v)
}

// told says when a report was made.
func told(r *audit.Report) string {
	text := "counted at " + r.Began.UTC().Format("2006-01-02 15:04 UTC") + ", in " + shortly(r.Took)
	if !r.Complete {
		text += ", as far as the audit went"
	}
	return text
}
