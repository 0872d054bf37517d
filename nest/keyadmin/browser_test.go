package keyadmin_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/keyadmin"
)

// chromium returns the browser's program.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("CI has to have Chromium on PATH")
	}
	t.Skip("SKIPPED, not passed: there is no Chromium on PATH")
	return ""
}

// tab is a page in a browser.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // it is the tab
}

func newTab(t *testing.T) tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.NoSandbox)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return tab{t, ctx}
}

func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, steps...))
}

func (b tab) text(step chromedp.Action[string]) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, step)
	require.NoError(b.t, err)
	return text
}

// shoot takes a picture of the page if KEYADMIN_PICTURES names a folder for it.
func (b tab) shoot(name string) {
	b.t.Helper()
	folder := os.Getenv("KEYADMIN_PICTURES")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600))
}

// prefer makes the browser prefer a color scheme.
func prefer(scheme string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return chromedp.Void{}, err
	}
}

// An operator starts an audit, reads what it found, and looks a key up, with the mouse; then all of
// it on a phone and in the dark; and then by keyboard alone.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	b := newTab(t)
	at := site(t, filled(t), keyadmin.ShowValues())
	b.do(
		chromedp.Navigate(at),
		chromedp.Click(chromedp.CSS(`a[href="audit"]`)),
		chromedp.Click(chromedp.CSS(`button[value="start"]`)),
		chromedp.WaitVisible(chromedp.CSS(`a[href="report"]`)), // the page loads itself again until then
	)
	b.shoot("audit")
	b.do(chromedp.Click(chromedp.CSS(`a[href="report"]`)), chromedp.WaitVisible(chromedp.CSS("#findings")))
	report := b.text(chromedp.Text(chromedp.CSS("body")))
	require.Contains(t, report, "shop:cart:")
	require.NotContains(t, report, sentinel)
	b.do(chromedp.Navigate(at))
	b.shoot("tree")
	b.do(
		chromedp.Click(`//a[contains(., "profile")]`),
		chromedp.SendKeys(chromedp.CSS(`input[name="p.user_id"]`), "42"),
		chromedp.Click(chromedp.CSS(`button[type="submit"]`)),
	)
	require.Contains(t, b.text(chromedp.Text(chromedp.CSS("pre"))), "Ada")
	address := b.text(chromedp.Location())
	require.Contains(t, address, "user_id=42")
	b.shoot("key")

	// No page is wider than a phone, in either scheme.
	b.do(chromedp.EmulateViewport(390, 844))
	for name, page := range map[string]string{"tree": "", "undeclared": "undeclared", "audit": "audit", "key": strings.TrimPrefix(address, at), "report": "report"} {
		for _, scheme := range []string{"light", "dark"} {
			b.do(prefer(scheme), chromedp.Navigate(at+page))
			width := b.text(chromedp.Evaluate[string](`String(document.documentElement.scrollWidth)`))
			require.Equal(t, "390", width, "%s, %s", name, scheme)
			ground := b.text(chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`))
			require.Equal(t, scheme == "dark", ground == "rgb(22, 22, 21)", "%s, %s: %s", name, scheme, ground)
			b.shoot(name + "-phone-" + scheme)
		}
	}

	// The first stop of the tabulator leads past the navigation, and the next to the other pages.
	b.do(chromedp.EmulateViewport(1100, 800), chromedp.Navigate(at), chromedp.KeyEvent(kb.Tab))
	require.Equal(t, "Skip to the content", b.text(chromedp.Evaluate[string](`document.activeElement.textContent`)))
	b.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS("#undeclared")))
	b.shoot("undeclared-dark")
}
