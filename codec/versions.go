package codec

// Version is one of the codecs of [Versioned].
type Version struct {
	// Number is the version that values begin with, or 0 for values from before versioning.
	Number int
	// Codec is the codec of the version.
	Codec Codec
	// Upcoming reports whether the version is read but not yet written.
	Upcoming bool
}

// Versioner is implemented by codecs that read what several codecs wrote, such as [Versioned]. A
// codec that wraps another one passes the call on with [Versions].
type Versioner interface {
	// Versions returns a new slice: first the version that is written, then the others that are
	// read, the newest first. It returns nil if there is only one form.
	Versions() []Version
}

// Versions returns what a [Versioned] codec reads: first the version that it writes, then the
// others, the newest first, without those that are [Retired]. It returns nil for a codec that is no
// [Versioner]. The name "versioned" does not say which codec a version has; a tool that compares
// releases asks here.
func Versions(c Codec) []Version {
	if v, ok := c.(Versioner); ok {
		return v.Versions()
	}
	return nil
}
