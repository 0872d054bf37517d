// Package env opens a keyspace on the server that the environment names.
//
// [Load] turns environment variables and a .env file into a [Config], whose ClientOption method
// gives the settings of a rueidis client. An empty variable, or one of nothing but white space,
// counts as unset. Everything that is wrong is reported at once, by the names of the variables,
// and no value is ever quoted. [Open] does all of it:
//
//	root, closeClient, err := env.Open(ctx, Root) // *nest.ClusterDef → nest.Scope
//	if err != nil { … }
//	defer closeClient()
//
// The connection:
//
//	variable               default      meaning
//	REDIS_URL              none         all of the connection in one URL, see below
//	REDIS_HOST             localhost    host name or IP address
//	REDIS_PORT             6379         1 to 65535; 26379 by default with REDIS_SENTINEL_MASTER
//	REDIS_ADDRS            none         host:port,host:port in place of the two: the nodes of a Redis Cluster, or the sentinels
//	REDIS_SENTINEL_MASTER  none         the name by which the sentinels know the server
//	REDIS_USERNAME         none         ACL user; none is the server's default user
//	REDIS_PASS             none         password; not given to sentinels
//	REDIS_DB               0            database number; a Redis Cluster has none but 0
//	REDIS_TLS              false        true connects with TLS 1.2 or later and the system's root certificates
//
// What is done with it:
//
//	variable                  default  meaning
//	REDIS_DELETE_CHUNK_SIZE   500      keys deleted by one command when a scope is cleared, 1 to 1000000
//	REDIS_SCAN_COUNT          1000     keys that one step of a scan looks at, 1 to 1000000
//	TTL_AUTO_RENEW            false    true restarts a key's TTL on reads, where no declaration says otherwise
//	REDIS_CACHE_BROADCAST     false    true lets the server broadcast changes of Cached keys by prefix, and not remember who reads what
//	SHOW_METHOD_DISPATCH_LOGS false    true logs every operation, without values, to slog's default logger
//	NEST_KEYRING              none     keys of 32 bytes in base64 or hexadecimal, separated by commas: the primary, then those only accepted
//	MY_ENCRYPTION_KEY         none     the Python library's key, whose secrets are read too; without NEST_KEYRING it also seals
//	USER_SETTINGS_FILE        .env     another file than .env, relative to the working directory
//
// True is also 1, t, y, yes and on; false is also 0, f, n, no and off; in any case.
//
// # URLs
//
// REDIS_URL has one of these forms. User, password, port (6379) and database number (0) can be
// left out; in a password the characters / ? # @ : and % are percent-encoded.
//
//	redis://user:password@host:port/0
//	rediss://user:password@host:port/0                      with TLS
//	redis://host:port?addr=host2:port2&addr=host3:port3     the nodes of a Redis Cluster
//	redis://host:26379/0?master_set=name&addr=host2:26379   sentinels
//	unix:///run/redis.sock?db=0
//
// After the ? it also takes dial_timeout and write_timeout (such as 10s), skip_verify=true,
// protocol=2, client_cache=0, max_retries=0 and client_name. The other variables of the
// connection contradict a URL and are refused beside it, except for REDIS_USERNAME and
// REDIS_PASS beside a URL that has neither user nor password.
//
// # Files
//
// The file .env in the working directory is read if there is one; variables of the process win
// over it. USER_SETTINGS_FILE in the process' environment names a file that is read in its
// place; in .env it names one that is read in addition and wins over .env. A file that is named
// and missing, or any that is malformed, larger than 1 MiB or no regular file (a named pipe, a
// device), is an error. A line is NAME=value, with or without
// export before it; a value with spaces, with # or over several lines stands in quotes. As in a
// shell, $NAME in a value without quotes or in double quotes is replaced by the value of an earlier line:
// single quotes keep a password as it is.
package env
