"""RocketMQ's own setting names (5.3.3), and why those that PocketMQ lacks have no effect.

A name that some setting carries as its alias is never looked up here, so the lists hold all names
of RocketMQ's configuration classes and need no change when PocketMQ gains a setting.
"""

from __future__ import annotations

import re

SAFETY = {"aclEnable"}
"""Settings that must not be ignored in silence: whoever sets them relies on being protected."""

_REASONS = (
    (
        "(?i)threads?(pool)?(num|queue|count|s$)|poolqueuecapacity|executor|workergroup|semaphore",
        "PocketMQ serves every request on one event loop and has no thread pools",
    ),
    (
        "waitTimeMillsIn|osPageCacheBusy|FastFailure|startAcceptSend|disableConsumeIfConsumerRead",
        "PocketMQ bounds the work in flight instead of timing out queued requests",
    ),
    (
        "(?i)netty|epoll|pooledbytebuf|socket(snd|rcv)buf|eventprocess|transferMsgByHeap",
        "it tunes Netty, which PocketMQ does not use",
    ),
    (
        "(?i)rocksdb|memtable|bottommost|double.?write|configManagerVersion",
        "PocketMQ keeps RocketMQ's file format, not the RocksDB variant",
    ),
    (
        "(?i)dleger|controller|electm|syncState|preferredLeader|epoch|election|jraft|BrokerMeta",
        "PocketMQ has no controller; roles are set by brokerRole and brokerId",
    ),
    ("(?i)tiered|objectstore|readahead|groupcommit|rolling", "PocketMQ has no tiered storage yet"),
    (
        "(?i)^auth.*(provider|strategy|path)$|^clusterName|^configName",
        "users and permissions are always looked up in users.json and acls.json below the data "
        "directory's config/, for every request",
    ),
    (
        "(?i)^(userCache|aclCache|stateful)",
        "users and permissions are all in memory and every request is decided anew, so there is "
        "no cache to bound",
    ),
    (
        "(?i)^(acl|migrateAuth)",
        "the plain_acl.yml of RocketMQ 4 is not read; create its users and permissions with "
        "createUser and createAcl",
    ),
    ("(?i)^tls\\.client", "it is a setting of clients"),
    ("(?i)^metric", "PocketMQ exports its metrics its own way"),
    (
        "(?i)swap|warm|lock|spin|prefetch|checksumrange|filechannel|concurrently|cachenum",
        "PocketMQ manages mapped files and locks its own way",
    ),
    ("(?i)cold", "PocketMQ reads cold data away from the event loop, without quotas"),
    ("(?i)^timer|wheel", "PocketMQ sets its own pace for timed messages"),
    ("(?i)^(pop|revive|enablepop)|popck", "PocketMQ keeps pop state its own way"),
    ("(?i)^ha|slave|replica|transferbyte", "replication is not there yet"),
    (
        "(?i)rocketmqHome|ConfigPath|configStorePath|kvConfig|productEnv",
        "PocketMQ keeps its files in the data directory",
    ),
    ("(?i)commercial|stats|trace|print|log$", "PocketMQ logs and counts its own way"),
)

_BROKER = """
brokerConfigPath rocketmqHome namesrvAddr listenPort brokerIP1 brokerIP2 recoverConcurrently
brokerPermission defaultTopicQueueNums autoCreateTopicEnable clusterTopicEnable brokerTopicEnable
autoCreateSubscriptionGroup messageStorePlugIn msgTraceTopicName traceTopicEnable
sendMessageThreadPoolNums putMessageFutureThreadPoolNums pullMessageThreadPoolNums
litePullMessageThreadPoolNums ackMessageThreadPoolNums processReplyMessageThreadPoolNums
queryMessageThreadPoolNums adminBrokerThreadPoolNums clientManageThreadPoolNums
consumerManageThreadPoolNums loadBalanceProcessorThreadPoolNums heartbeatThreadPoolNums
recoverThreadPoolNums endTransactionThreadPoolNums flushConsumerOffsetInterval
flushConsumerOffsetHistoryInterval rejectTransactionMessage fetchNameSrvAddrByDnsLookup
fetchNamesrvAddrByAddressServer sendThreadPoolQueueCapacity putThreadPoolQueueCapacity
pullThreadPoolQueueCapacity litePullThreadPoolQueueCapacity ackThreadPoolQueueCapacity
replyThreadPoolQueueCapacity queryThreadPoolQueueCapacity clientManagerThreadPoolQueueCapacity
consumerManagerThreadPoolQueueCapacity heartbeatThreadPoolQueueCapacity
endTransactionPoolQueueCapacity adminBrokerThreadPoolQueueCapacity
loadBalanceThreadPoolQueueCapacity longPollingEnable shortPollingTimeMills
notifyConsumerIdsChangedEnable highSpeedMode commercialBaseCount commercialSizePerMsg
accountStatsEnable accountStatsPrintZeroValues maxStatsIdleTimeInMinutes transferMsgByHeap
regionId registerBrokerTimeoutMills sendHeartbeatTimeoutMillis slaveReadEnable
disableConsumeIfConsumerReadSlowly consumerFallbehindThreshold brokerFastFailureEnable
waitTimeMillsInSendQueue waitTimeMillsInPullQueue waitTimeMillsInLitePullQueue
waitTimeMillsInHeartbeatQueue waitTimeMillsInTransactionQueue waitTimeMillsInAckQueue
waitTimeMillsInAdminBrokerQueue startAcceptSendRequestTimeStamp traceOn enableCalcFilterBitMap
rejectPullConsumerEnable expectConsumerNumUseFilter maxErrorRateOfBloomFilter
filterDataCleanTimeSpan filterSupportRetry enablePropertyFilter compressedRegister forceRegister
registerNameServerPeriod updateNameServerAddrPeriod brokerHeartbeatInterval
brokerNotActiveTimeoutMillis enableNetWorkFlowControl enableBroadcastOffsetStore
broadcastOffsetExpireSecond broadcastOffsetExpireMaxSecond popPollingSize popPollingMapSize
maxPopPollingSize reviveQueueNum reviveInterval reviveMaxSlow reviveScanTime
enableSkipLongAwaitingAck reviveAckWaitMs enablePopLog enablePopBufferMerge popCkStayBufferTime
popCkStayBufferTimeOut popCkMaxBufferSize popCkOffsetMaxQueueSize enablePopBatchAck
popLongPollingForceNotifyInterval enableNotifyBeforePopCalculateLag
enableNotifyAfterPopOrderLockRelease initPopOffsetByCheckMsgInMem
retrieveMessageFromPopRetryTopicV1 enableRetryTopicV2 popFromRetryProbability
popConsumerFSServiceInit popConsumerKVServiceLog popConsumerKVServiceInit
popConsumerKVServiceEnable popReviveMaxReturnSizePerRead popReviveMaxAttemptTimes
realTimeNotifyConsumerChange litePullMessageEnable syncBrokerMemberGroupPeriod
loadBalancePollNameServerInterval cleanOfflineBrokerInterval serverLoadBalancerEnable
defaultMessageRequestMode defaultPopShareQueueNum transactionTimeOut transactionCheckMax
transactionCheckInterval transactionMetricFlushInterval transactionOpMsgMaxSize
transactionOpBatchInterval aclEnable storeReplyMessageEnable enableDetailStat
autoDeleteUnusedStats isolateLogEnable forwardTimeout enableSlaveActingMaster enableRemoteEscape
skipPreOnline asyncSendEnable useServerSideResetOffset consumerOffsetUpdateVersionStep
delayOffsetUpdateVersionStep lockInStrictMode compatibleWithOldNameSrv enableControllerMode
controllerAddr fetchControllerAddrByDnsLookup syncBrokerMetadataPeriod checkSyncStateSetPeriod
syncControllerMetadataPeriod controllerHeartBeatTimeoutMills validateSystemTopicWhenUpdateTopic
brokerElectionPriority useStaticSubscription metricsExporterType metricsOtelCardinalityLimit
metricsGrpcExporterTarget metricsGrpcExporterHeader metricGrpcExporterTimeOutInMills
metricGrpcExporterIntervalInMills metricLoggingExporterIntervalInMills metricsPromExporterPort
metricsPromExporterHost metricsLabel metricsInDelta channelExpiredTimeout
subscriptionExpiredTimeout estimateAccumulation coldCtrStrategyEnable usePIDColdCtrStrategy
cgColdReadThreshold globalColdReadThreshold fetchNamesrvAddrInterval
popResponseReturnActualRetryTopic enableSingleTopicRegister enableMixedMessageType
enableSplitRegistration popInflightMessageThreshold enablePopMessageThreshold
enableFastChannelEventProcess printChannelGroups printChannelGroupsMinNum splitRegistrationSize
configBlackList skipWhenCKRePutReachMaxTimes appendAckAsync appendCkAsync
clearRetryTopicWhenDeleteTopic enableLmqStats configManagerVersion
allowRecallWhenBrokerNotWriteable recallMessageEnable enableRegisterProducer enableCreateSysGroup
brokerName brokerClusterName brokerId brokerContainer inBrokerContainer
"""

_STORE = """
storePathRootDir storePathCommitLog storePathDLedgerCommitLog storePathEpochFile
storePathBrokerIdentity readOnlyCommitLogStorePaths mappedFileSizeCommitLog
compactionMappedFileSize compactionCqMappedFileSize compactionScheduleInternal maxOffsetMapSize
compactionThreadNum enableCompaction mappedFileSizeTimerLog timerPrecisionMs timerRollWindowSlot
timerFlushIntervalMs timerGetMessageThreadNum timerPutMessageThreadNum timerEnableDisruptor
timerEnableCheckMetrics timerInterceptDelayLevel timerMaxDelaySec timerWheelEnable
disappearTimeAfterStart timerStopEnqueue timerCheckMetricsWhen timerSkipUnknownError
timerWarmEnable timerStopDequeue timerEnableRetryUntilSuccess timerCongestNumEachSlot
timerMetricSmallThreshold timerProgressLogIntervalMs storeType mappedFileSizeConsumeQueue
enableConsumeQueueExt mappedFileSizeConsumeQueueExt mapperFileSizeBatchConsumeQueue
bitMapLengthConsumeQueueExt flushIntervalCommitLog commitIntervalCommitLog
maxRecoveryCommitlogFiles diskSpaceWarningLevelRatio diskSpaceCleanForciblyRatio
useReentrantLockWhenPutMessage flushCommitLogTimed flushIntervalConsumeQueue cleanResourceInterval
deleteCommitLogFilesInterval deleteConsumeQueueFilesInterval destroyMapedFileIntervalForcibly
redeleteHangedFileInterval deleteWhen diskMaxUsedSpaceRatio fileReservedTime deleteFileBatchMax
putMsgIndexHightWater maxMessageSize maxFilterMessageSize checkCRCOnRecover
flushCommitLogLeastPages commitCommitLogLeastPages flushLeastPagesWhenWarmMapedFile
flushConsumeQueueLeastPages flushCommitLogThoroughInterval commitCommitLogThoroughInterval
flushConsumeQueueThoroughInterval maxTransferBytesOnMessageInMemory
maxTransferCountOnMessageInMemory maxTransferBytesOnMessageInDisk maxTransferCountOnMessageInDisk
accessMessageInMemoryMaxRatio messageIndexEnable maxHashSlotNum maxIndexNum maxMsgsNumBatch
messageIndexSafe haListenPort haSendHeartbeatInterval haHousekeepingInterval haTransferBatchSize
haMasterAddress haMaxGapNotInSync brokerRole flushDiskType syncFlushTimeout putMessageTimeout
slaveTimeout messageDelayLevel flushDelayOffsetInterval cleanFileForciblyEnable
warmMapedFileEnable offsetCheckInSlave debugLockEnable duplicationEnable diskFallRecorded
osPageCacheBusyTimeOutMills defaultQueryMaxNum transientStorePoolEnable transientStorePoolSize
fastFailIfNoBufferInStorePool enableDLegerCommitLog dLegerGroup dLegerPeers dLegerSelfId
preferredLeaderId enableBatchPush enableScheduleMessageStats enableLmq enableMultiDispatch
maxLmqConsumeQueueNum enableScheduleAsyncDeliver scheduleAsyncDeliverMaxPendingLimit
scheduleAsyncDeliverMaxResendNum2Blocked maxBatchDeleteFilesNum dispatchCqThreads
dispatchCqCacheNum enableAsyncReput recheckReputOffsetFromCq maxTopicLength
autoMessageVersionOnTopicLen enabledAppendPropCRC forceVerifyPropCRC travelCqFileNumWhenGetMessage
correctLogicMinOffsetSleepInterval correctLogicMinOffsetForceInterval mappedFileSwapEnable
commitLogForceSwapMapInterval commitLogSwapMapInterval commitLogSwapMapReserveFileNum
logicQueueForceSwapMapInterval logicQueueSwapMapInterval cleanSwapedMapInterval
logicQueueSwapMapReserveFileNum searchBcqByCacheEnable dispatchFromSenderThread
wakeCommitWhenPutMessage wakeFlushWhenPutMessage enableCleanExpiredOffset
maxAsyncPutMessageRequests pullBatchMaxMessageCount totalReplicas inSyncReplicas minInSyncReplicas
allAckInSyncStateSet enableAutoInSyncReplicas haFlowControlEnable maxHaTransferByteInSecond
haMaxTimeSlaveNotCatchup syncMasterFlushOffsetWhenStartup maxChecksumRange
replicasPerDiskPartition logicalDiskSpaceCleanForciblyThreshold maxSlaveResendLength
syncFromLastFile asyncLearner maxConsumeQueueScan sampleCountThreshold coldDataFlowControlEnable
coldDataScanEnable dataReadAheadEnable timerColdDataCheckIntervalMs sampleSteps
accessMessageInMemoryHotRatio enableBuildConsumeQueueConcurrently
batchDispatchRequestThreadPoolNums cleanRocksDBDirtyCQIntervalMin statRocksDBCQIntervalSec
memTableFlushIntervalMs realTimePersistRocksDBConfig enableRocksDBLog topicQueueLockNum
readUnCommitted putConsumeQueueDataByFileChannel rocksdbCQDoubleWriteEnable
bottomMostCompressionTypeForConsumeQueueStore rocksdbCompressionType rocksdbFlushWalFrequency
rocksdbWalFileRollingThreshold spinLockCollisionRetreatOptimalDegree useABSLock
"""

_NAME_SERVER = """
kvConfigPath configStorePath productEnvName clusterTest orderMessageEnable
returnOrderTopicConfigToBroker clientRequestThreadPoolNums defaultThreadPoolNums
clientRequestThreadPoolQueueCapacity defaultThreadPoolQueueCapacity scanNotActiveBrokerInterval
unRegisterBrokerQueueCapacity supportActingMaster enableAllTopicList enableTopicList
notifyMinBrokerIdChanged enableControllerInNamesrv needWaitForService waitSecondsForService
deleteTopicWithBrokerRegistration
"""

_SOCKETS = """
bindAddress serverWorkerThreads serverCallbackExecutorThreads serverSelectorThreads
serverOnewaySemaphoreValue serverAsyncSemaphoreValue serverChannelMaxIdleTimeSeconds
serverSocketSndBufSize serverSocketRcvBufSize writeBufferHighWaterMark writeBufferLowWaterMark
serverSocketBacklog serverNettyWorkerGroupEnable serverPooledByteBufAllocatorEnable
enableShutdownGracefully shutdownWaitTimeSeconds useEpollNativeSelector clientWorkerThreads
clientCallbackExecutorThreads clientOnewaySemaphoreValue clientAsyncSemaphoreValue
connectTimeoutMillis channelNotActiveInterval scanAvailableNameSrv clientChannelMaxIdleTimeSeconds
clientSocketSndBufSize clientSocketRcvBufSize clientPooledByteBufAllocatorEnable
clientCloseSocketIfTimeout useTLS socksProxyConfig disableCallbackExecutor disableNettyWorkerGroup
maxReconnectIntervalTimeSeconds enableReconnectForGoAway tls.enable tls.server.mode
tls.test.mode.enable tls.server.need.client.auth tls.server.keyPath tls.server.keyPassword
tls.server.certPath tls.server.authClient tls.server.trustCertPath tls.client.keyPath
tls.client.keyPassword tls.client.certPath tls.client.authServer tls.client.trustCertPath
"""

_ACCESS = """
configName clusterName authConfigPath authenticationEnabled authenticationProvider
authenticationMetadataProvider authenticationStrategy authenticationWhitelist
initAuthenticationUser innerClientAuthenticationCredentials authorizationEnabled
authorizationProvider authorizationMetadataProvider authorizationStrategy authorizationWhitelist
migrateAuthFromV1Enabled userCacheMaxNum userCacheExpiredSecond userCacheRefreshSecond
aclCacheMaxNum aclCacheExpiredSecond aclCacheRefreshSecond statefulAuthenticationCacheMaxNum
statefulAuthenticationCacheExpiredSecond statefulAuthorizationCacheMaxNum
statefulAuthorizationCacheExpiredSecond
"""

_CONTROLLER = """
jraftConfig controllerType controllerThreadPoolNums controllerRequestThreadPoolQueueCapacity
controllerDLegerGroup controllerDLegerPeers controllerDLegerSelfId mappedFileSize
controllerStorePath electMasterMaxRetryCount enableElectUncleanMaster processReadEvent
notifyBrokerRoleChanged scanInactiveMasterInterval
"""

_TIERED = """
tieredStorageLevel recordGetMessageResult tieredStoreCommitLogMaxSize
tieredStoreConsumeQueueMaxSize tieredStoreIndexFileMaxHashSlotNum tieredStoreIndexFileMaxIndexNum
tieredMetadataServiceProvider tieredBackendServiceProvider tieredStoreDeleteFileEnable
tieredStoreFileReservedTime tieredStoreDeleteFileInterval commitLogRollingInterval
commitLogRollingMinimumSize tieredStoreGroupCommit tieredStoreGroupCommitTimeout
tieredStoreGroupCommitCount tieredStoreGroupCommitSize tieredStoreMaxGroupCommitCount
readAheadCacheEnable readAheadMessageCountThreshold readAheadMessageSizeThreshold
readAheadCacheExpireDuration readAheadCacheSizeThresholdRate tieredStoreMaxPendingLimit
tieredStoreCrcCheckEnable tieredStoreFilePath objectStoreEndpoint objectStoreBucket
objectStoreAccessKey objectStoreSecretKey
"""

KEYS = tuple(
    " ".join((_BROKER, _STORE, _NAME_SERVER, _SOCKETS, _ACCESS, _CONTROLLER, _TIERED)).split()
)
"""All of RocketMQ's names for settings."""

_SPELLINGS = {key.lower().replace(".", "_"): key for key in KEYS}


def spelling(plain: str) -> str | None:
    """Return RocketMQ's spelling of a name given in lower case with `_` for dots, or None."""
    return _SPELLINGS.get(plain)


def reason(key: str) -> str:
    """Return why PocketMQ has no such setting, as the end of a sentence."""
    for pattern, why in _REASONS:
        if re.search(pattern, key):
            return why
    return "this program has no such setting"
