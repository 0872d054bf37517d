// Package env opens a keyspace on the server that the environment names.
//
// [Load] turns environment variables and a .env file into a [Config]. Its ClientOption method
// returns the settings of a rueidis client. A variable that is empty or all white space counts as
// unset. Everything that is wrong is reported at once, by the names of the variables; no value is
// ever quoted. [Open] does all of this and connects:
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
//	REDIS_SENTINEL_USERNAME none        ACL user of the sentinels
//	REDIS_SENTINEL_PASS    none         password of the sentinels
//	REDIS_USERNAME         none         ACL user; none is the server's default user
//	REDIS_PASS             none         password; not given to sentinels
//	REDIS_PASS_FILE        none         a file that holds the password, in place of REDIS_PASS
//	REDIS_DB               0            database number; a Redis Cluster has none but 0
//	REDIS_TLS              false        true connects with TLS 1.2 or later and the system's root certificates
//	REDIS_TLS_CA_FILE      none         certificates in PEM in place of the system's root certificates
//	REDIS_TLS_CERT_FILE    none         the client's certificate in PEM, which servers ask for unless told not to
//	REDIS_TLS_KEY_FILE     none         the key of that certificate
//
// The behavior of the library:
//
//	variable                  default  meaning
//	REDIS_DELETE_CHUNK_SIZE   500      keys deleted by one command when a scope is cleared, 1 to 1000000
//	REDIS_SCAN_COUNT          1000     keys that one step of a scan looks at, 1 to 1000000
//	TTL_AUTO_RENEW            false    true restarts a key's TTL on reads, where no declaration says otherwise
//	REDIS_CACHE_BROADCAST     false    true lets the server broadcast changes of Cached keys by prefix, and not remember who reads what
//	REDIS_CLIENT_CACHE        on       off for servers and proxies without client tracking: reads of Cached keys ask the server
//	REDIS_TIMEOUT             2s       how long one exchange with a server may take, such as 500ms; off for no bound
//	REDIS_FLUSH_DELAY         off      such as 20us, at most 50us: waits for more to send together; for a hundred calls at a time and more
//	SHOW_METHOD_DISPATCH_LOGS false    true logs every operation, without values, to slog's default logger
//	NEST_KEYRING              none     keys of 32 bytes in base64 or hexadecimal, separated by commas: the primary, then those only accepted
//	NEST_KEYRING_FILE         none     a file that holds them, in place of NEST_KEYRING
//	MY_ENCRYPTION_KEY         none     the Python library's key, whose secrets are read too; without NEST_KEYRING it also seals
//	USER_SETTINGS_FILE        .env     another file than .env, relative to the working directory
//
// A variable that is not read but looks like a mistake for one of these, such as REDIS_PASSWORD or
// REDIS_HOTS, is an error unless the right one is set.
//
// True can also be written 1, t, y, yes or on, and false 0, f, n, no or off, in upper or lower
// case.
//
// # URLs
//
// REDIS_URL has one of these forms. User, password, port (6379) and database number (0) are
// optional. In a password the characters / ? # @ : and % must be percent-encoded.
//
//	redis://user:password@host:port/0
//	rediss://user:password@host:port/0                      with TLS
//	redis://host:port?addr=host2:port2&addr=host3:port3     the nodes of a Redis Cluster
//	redis://host:26379/0?master_set=name&addr=host2:26379   sentinels
//	unix:///run/redis.sock?db=0
//
// Other parameters after the ? are dial_timeout and write_timeout (such as 10s), skip_verify=true,
// protocol=2, client_cache=0, max_retries=0 and client_name. The other variables of the connection
// are refused beside a URL, except for those that say what a URL cannot: the sentinels' user and
// password, the files of TLS, and, if the URL has neither user nor password, REDIS_USERNAME and
// REDIS_PASS or REDIS_PASS_FILE.
//
// # Files
//
// The file .env in the working directory is read if it exists. Variables of the process override
// it. USER_SETTINGS_FILE in the process's environment names a file to read instead of .env; in .env
// it names a file to read in addition, which overrides .env. It is an error if a named file is
// missing, or if a file is malformed, larger than 1 MiB or not a regular file (a named pipe, a
// device). A line is NAME=value, optionally after export. A value with spaces, with # or over
// several lines must be quoted. As in a shell, $NAME and ${NAME} in an unquoted or double-quoted
// value are replaced by the process's variable of that name or, if it is not set, by the value of
// an earlier line. An undefined name is an error if the variable that refers to it is read. A $
// that begins no name stays, \$ is a $, and single quotes keep a password as it is.
package env
