package env

// checkSentinels adds to found what is wrong with the sentinels' own user and password.
func (c Config) checkSentinels(isSet func(variable string) bool, found *problems) {
	for _, name := range []string{"REDIS_SENTINEL_USERNAME", "REDIS_SENTINEL_PASS"} {
		if isSet(name) && !c.usesSentinels() {
			found.addf(name, "is for sentinels, and there are none: set REDIS_SENTINEL_MASTER, or write master_set into REDIS_URL")
		}
	}
}

// usesSentinels reports whether the addresses are those of sentinels.
func (c Config) usesSentinels() bool {
	if c.URL.IsZero() {
		return c.SentinelMaster != ""
	}
	option, err := parseURL(c.URL.Reveal())
	return err != nil || option.Sentinel.MasterSet != "" // a malformed URL is reported elsewhere
}
