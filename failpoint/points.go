// Package failpoint names the moments at which a process may die, so that tests
// can let it die at each of them. Built with the tag failpoint, the environment
// says where and how:
//
//	WAYBILL_FAILPOINT=name[:n][:kill|term]  at the n-th hit (1) SIGKILL (the default) or SIGTERM to itself
//	WAYBILL_FAULT=call:from:to[,...]        the calls of that name, from the from-th to the to-th, fail
//	WAYBILL_WEAKEN=safeguard[,...]          leaves a safeguard out, so that a test can be seen to fail
//
// Without the tag every function here is empty and costs nothing, and the
// environment is not looked at.
package failpoint

import "slices"

// Point is a moment at which a process may die.
type Point string

// The points. Each has a case in tests/crash, or a test there fails.
const (
	// The destructive read, in the order of its steps.
	PullBegin     Point = "pull.begin"     // before the intent is written
	PullIntended  Point = "pull.intended"  // the intent is on disk, no request has left
	PullAnswered  Point = "pull.answered"  // the answer is in memory only
	PullLanded    Point = "pull.landed"    // the answer is on disk, nothing is derived
	PullDerived   Point = "pull.derived"   // its records are recorded and the intent is over
	PullNothing   Point = "pull.nothing"   // no answer came, before that is recorded
	PullConcluded Point = "pull.concluded" // no answer came, and that is recorded

	// What a pull brought and the database did not take.
	SpillBegin Point = "spill.begin" // before the file is made
	SpillEnd   Point = "spill.end"   // it is on disk

	// A file beside the database: a spill file, a file of the last good configuration.
	FileWritten Point = "file.written" // written under its temporary name, not synced
	FileSynced  Point = "file.synced"  // synced, not renamed
	FileRenamed Point = "file.renamed" // renamed, the directory not synced

	// What an earlier process, or an earlier failure, left half done.
	FinishLanded   Point = "finish.landed"   // before a landed answer is derived
	FinishSpill    Point = "finish.spill"    // a spill file is read, before it is recorded
	FinishStored   Point = "finish.stored"   // its bytes are in the state, not derived
	FinishDerived  Point = "finish.derived"  // its records are recorded, the file is still there
	FinishRemoved  Point = "finish.removed"  // the file is gone
	FinishLost     Point = "finish.lost"     // before the loss window of an open intent is recorded
	FinishRecorded Point = "finish.recorded" // it is recorded

	// Callbacks.
	CallbackRead   Point = "callback.read"   // the body is in memory only
	CallbackStored Point = "callback.stored" // it is on disk, the 200 is not sent
	CallbackSent   Point = "callback.sent"   // the 200 is on its way

	// Reads, and what follows from records.
	ReadBegin    Point = "read.begin"    // before the request
	ReadAnswered Point = "read.answered" // before the reading is recorded
	ReadRecorded Point = "read.recorded" // it is recorded
	FoldBegin    Point = "fold.begin"    // before a changed item is recorded
	FoldRecorded Point = "fold.recorded" // it is recorded

	// The declaration.
	DeclareBegin   Point = "declare.begin"   // before anything of it is recorded
	DeclareChanged Point = "declare.changed" // forgets, moves and changes are recorded
	DeclareChunk   Point = "declare.chunk"   // a chunk of new items is recorded
	DeclareEnd     Point = "declare.end"     // all of it is recorded
	ResultsBegin   Point = "results.begin"   // before outputs and checks are recorded
	ResultsEnd     Point = "results.end"     // they are recorded
	ReloadBegin    Point = "reload.begin"    // a changed configuration is about to be loaded

	// The last good configuration.
	KeepBegin    Point = "keep.begin"    // before a file of it is copied
	KeepCopied   Point = "keep.copied"   // all are copied, the manifest names the older copy
	KeepManifest Point = "keep.manifest" // the manifest names the new copy, the older one is there

	// The agent's own rhythm.
	HeartbeatBegin Point = "heartbeat.begin" // before it is recorded that callbacks can be stored
	HeartbeatEnd   Point = "heartbeat.end"   // it is recorded
	ShutdownBegin  Point = "shutdown.begin"  // SIGTERM was heard
	ShutdownIdle   Point = "shutdown.idle"   // nothing is under way any more
	ShutdownEnd    Point = "shutdown.end"    // everything is recorded, the state is open

	// The database.
	OpenCreated        Point = "open.created"        // the empty file is there
	MigrateBegin       Point = "migrate.begin"       // before a step's transaction
	MigrateWritten     Point = "migrate.written"     // before its commit
	MigrateCommitted   Point = "migrate.committed"   // after it
	CommitBegin        Point = "commit.begin"        // before a group's COMMIT
	CommitEnd          Point = "commit.end"          // after it, before anybody is told
	CheckpointBegin    Point = "checkpoint.begin"    // before the log is moved into the database at the end
	CheckpointFinished Point = "checkpoint.finished" // after it
)

// All are all points, in the order of their names.
func All() []Point {
	all := []Point{
		PullBegin, PullIntended, PullAnswered, PullLanded, PullDerived, PullNothing, PullConcluded,
		SpillBegin, SpillEnd, FileWritten, FileSynced, FileRenamed,
		FinishLanded, FinishSpill, FinishStored, FinishDerived, FinishRemoved, FinishLost, FinishRecorded,
		CallbackRead, CallbackStored, CallbackSent,
		ReadBegin, ReadAnswered, ReadRecorded, FoldBegin, FoldRecorded,
		DeclareBegin, DeclareChanged, DeclareChunk, DeclareEnd, ResultsBegin, ResultsEnd, ReloadBegin,
		KeepBegin, KeepCopied, KeepManifest,
		HeartbeatBegin, HeartbeatEnd, ShutdownBegin, ShutdownIdle, ShutdownEnd,
		OpenCreated, MigrateBegin, MigrateWritten, MigrateCommitted,
		CommitBegin, CommitEnd, CheckpointBegin, CheckpointFinished,
	}
	slices.Sort(all)
	return all
}

// Safeguard is something that keeps a promise, and that a test may leave out to
// be seen to fail.
type Safeguard string

// The safeguards.
const (
	Synchronous Safeguard = "synchronous" // PRAGMA synchronous=FULL; NORMAL without it
	FileSync    Safeguard = "file-sync"   // the fsync of files written beside the database
	DirSync     Safeguard = "dir-sync"    // the fsync of the directories they are in
	Intent      Safeguard = "intent"      // the intent before a pull
	AnswerFirst Safeguard = "answer"      // a callback's commit before its 200
)
