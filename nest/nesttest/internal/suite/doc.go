// Package suite tests what package nest promises about Redis. The tests run on every kind of server
// that package nesttest can start or connect to, and do not know which one it is. The package has
// no code.
//
//	REDIS_TEST_SERVER=embedded go test ./nest/nesttest/internal/suite
//
// Packages below it test one subject each: stale, for one, that nobody reads what a write has
// replaced. Its tests fail if the fence after a write, what ends a load before a write, or the
// comparison of the key's state at the end of a load is taken out.
//
// # Past faults, and the tests that keep them away
//
// Walking the keyspace:
//
//	pages of one scan came from several replicas          TestWalksReadFromThePrimary
//	a node that had joined was not scanned                TestWalksAskWhoHasWhat
//	slots that moved during a walk were left out          TestWalksFollowSlots
//	a cursor went to a server that had been restarted     TestWalksOfARestartedServer
//	Clear left what stands beside keys with a hash tag    TestClearTakesWhatStandsBesideKeysBelowAHashTag
//	Clear took what stands beside a neighbour's keys      TestClearLeavesWhatStandsBesideANeighboursKeys
//	a right to one's own names was not enough to lock     TestLocksAndLoadsWithARightToTheirNamesOnly
//
// Time and numbers:
//
//	a time beyond what Redis can be told deleted the key  TestTTLOperations, TestFieldTTL
//	the longest TTL was read as a negative one            TestTTLLongerThanADuration, TestLongestTTLWithStaleFor
//	integers inside an any were rounded                   package codec: TestIntegersInAnAny, FuzzAny
//	a store of 9,000 keys failed where there is a TTL     TestStoresOfManyKeys
//
// Several at a time, and faults:
//
//	Consume heard nothing of a stream that was made again TestConsumeMakesAGroupAgainFromTheBeginning
//	the first redirection of a slot that moves was final  TestWhileASlotMovesEverythingArrives, TestAWaitGoesOnWhenItsSlotMoves
//	passwords of a batch were hashed under its mutex      TestPasswordsOfBatchesHoldUpNobody, TestEncodersMayUseTheBatch
//	a test's Redis Cluster did not form                   package nesttest: TestIntroductions, BenchmarkCluster
//	Update starved beside another writer                  TestUpdatesOfTwoProcesses, TestUpdatesBesideABusyWriter
//	own writes were read stale after a slot had moved     TestOwnWritesAreReadWhileSlotsMove
//	a lock that was taken too late stayed for its lease   TestALockThatWasTakenTooLateIsGivenUp
//	a wait without a free connection hung for ever        TestNoConnectionLeft
//	entries that no handler had seen were dead letters    TestAttemptsCountWhatAHandlerWasGiven
//	a clock that was set back denied everything           TestLimiterAfterTheClockWasSetBack
//	a server that stands still made waits late            TestNobodyWaitsForAServerThatStandsStill
//	a full memory left the lock of a negative load        TestANegativeLoadFreesItsLockWhenMemoryIsFull
//	answers of Valkey had no sentinel                     TestAnswersHaveTheirSentinels, TestScriptOfAnUnknownCommand
//	a missing right left keys without a TTL               TestAUserWhoMayNotSetAnExpiryLeavesNoKeyWithoutOne
//	Consume did not begin while memory was full           TestConsumeGoesOnWhileMemoryIsFull
//	fields that had ended made Rename a conflict          TestSecretFieldsMoveBesideFieldsThatHaveEnded
//	waits broke off at a failover                         TestWaitsFollowAFailover
//	a large batch had an error of as many lines           TestErrorsOfLargeBatchesAreShort
//	one caller who connected made all others late         package env: TestNoCallIsLateInASilentPartition
//	a call ended with the context of another one          TestNoCallEndsWithTheContextOfAnother
//	a batch read before it wrote on a new connection      TestBatchesKeepTheirOrderWhileTheClientConnects
//	Transact tried on while the breaker was open          package away: TestTransactFailsAtOnceWhileTheBreakerIsOpen
//
// Codecs, secrets, settings:
//
//	what libraries drop or cannot read back               packages cbor, msgpack: TestTypesThatWouldLose; codec: TestGobLosesNothing
//	small negative offsets of time zones                  package codec: TestTaggedForms, FuzzTimes
//	bytes that look like a version's mark                 packages codec, protobuf: TestBeforeVersions
//	two zstd frames, and memory beyond the limit          package zstd: TestOneFrame, TestBomb
//	a planted hash kept all logins waiting                package secure: TestPlantedHashesKeepNobodyWaiting
//	a secret could not change its codec                   TestMoveSecretsToAnotherCodec
//	settings that were read otherwise than written        package env: TestLoadExpands, TestParseFile, TestOpenWithTLS
//	a printed declaration showed its default              package nest: TestNoFormOfPrintingShowsADefault
//	the linker kept every method of every type            package nest: TestLinkedMethods
//	programs linked what they do not use                  package nest: TestLinkedSize
//
// Declarations:
//
//	a value of another named type was taken               package nest: TestAnotherNamedTypeIsRefused
//	examples of collisions that are none, slow proofs     package names: TestProofStepsGrowWithTheTree; nest: TestExamplesOfCollisionsAreTrue
//	keys of two slots passed on a single server           TestSeveralSlotsAreRefusedEverywhere, TestSingleServer
//	nil options, nil parameters                           TestNilOptionsAreRefused; package nest: TestNothingPanicsOnNil
//	a record with nothing to store was always new         TestRecordWithNothingToStore
//	calls that send nothing were not observed             TestObserversAreToldWhatIsNotSent
package suite
