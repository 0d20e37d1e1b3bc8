// Package sandbox is the four vendors offline: GlobFax, itniotech, UCloud USMS
// and NXCLOUD as their pages describe them, for `waybill sandbox`, the -sandbox
// flag and the fault tests. It is an independent model: signatures, wire shapes
// and rules are written here from the vendors' pages, and nothing of Waybill's
// own vendor code is used, so that a mistake there cannot hide here.
//
// Things progress with time. A fax recipient is queued, then being sent, then a
// success or a failure; an order is being sent, delivered, then verified or
// not; the reports of a send become readable one by one; the results of a batch
// are pushed one by one. What becomes of a thing follows from Options.Seed, its
// identity and when it came into being, unless it was described in full.
//
// An identity steers what is derived: one that contains "missing" or "unknown"
// does not exist, "never" never comes to an end, "fail" fails, "part" fails for
// every third number or phone.
//
// # Paths
//
//	GET      /globfax/api/v2/fax/recipients/{rcpt_ref}
//	POST     /itniotech/otp/verification/orderId/record
//	GET POST /ucloud/          Action=PullUSMSReport
//	         /control/...      below
//
// NXCLOUD has no path: it calls. [Server.Run] pushes results to the callback
// URL of their batch, every minute for 60 minutes until the answer is exactly 200.
//
// # Control API
//
// Bodies and answers are JSON; a mistake is 400 with {"error": "..."}. A POST
// takes one object or a list of them. Fields are those of the Go types of the
// same name; durations are strings such as "90s", times RFC 3339.
//
//	POST /control/recipients   [Recipient]   {"rcpt_ref": "rcpt_1", "status": "failed", "failed_code": "BUSY"}
//	POST /control/orders       [Order]       {"order_id": "1234566", "channel": "call", "outcome": "verified"}
//	POST /control/sends        [Send]        {"session_no": "d0aa6c6e", "count": 2, "outcomes": ["success", "fail"]}
//	POST /control/batches      [Batch]       {"batch_no": "901946960376", "count": 250, "failures": 3}
//	POST /control/declare      {"kind": "globfax_recipient", "id": "rcpt_1", "expected": 1, "callback_url": ""}
//	POST /control/faults       [Fault]       {"vendor": "ucloud", "kind": "truncate", "next": 1, "fraction": 0.5}
//	GET  /control/faults                     the faults and how often each struck
//	DELETE /control/faults                   takes all of them off; their counts stay in the account
//	POST /control/clock        {"advance": "1h"}   moves progress, retention and retries on; itniotech's
//	                           check of the timestamp keeps to the real clock (fault "skew" moves that)
//	GET  /control/clock                      {"now": "..."}
//	POST /control/settings     [Settings]    {"callback_url": "http://127.0.0.1:8481/callbacks/nxcloud/..."}
//	GET  /control/settings
//	GET  /control/credentials                [Access]: credentials, environment variables and endpoints
//	GET  /control/account                    [Account]; ?reads=false leaves the list of reads out
//
// # Faults
//
// A fault names a vendor and a kind, and strikes the next Next requests, or each
// with Probability (drawn from the seed and the number of the request), or all.
// Of several the first that strikes is the one that does. See [FaultKind] for
// the kinds and for which vendors each has a meaning.
//
// It touches no file, and the network only where it is served, and to push. It has
// more than 3,000 lines, for the four models share a clock, their faults and one
// account of what was asked and told, against which all four are judged.
package sandbox
