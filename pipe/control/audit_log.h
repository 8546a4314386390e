// SPDX-License-Identifier: Apache-2.0
// The audit log: who did what, when, from where, and what came of it. Append-only lines of JSON, each with
// the hash of the line before it. Format, and what it can and cannot prove: doc/catalogue.md.
//
//   <dir>/audit-<first sequence, 20 digits>.log   the lines; a new file when one is full, the chain goes on
//   <dir>/audit.head                              sequence and hash of the last line, replaced after each one
//
// All effects go through Env. One process (a lock in the folder), one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/hash.h"

namespace tidegate {

struct AuditEntry {
  std::string user;
  std::optional<std::uint32_t> uid;
  std::optional<std::int32_t> pid;
  std::string from;                // path of the socket, an address, "yaml", "signal"
  std::string statement;           // secrets already masked; from 64 KiB on only its beginning and its hash
  std::optional<ErrorCode> error;  // none: it was done
  std::string text;                // of the error or the answer; at most 4 KiB of it
};

struct AuditOptions {
  std::uint64_t max_file_bytes = 16 << 20;
};

struct AuditHead {
  std::uint64_t sequence = 0;  // 0: no line yet
  Sha256 hash{};
  bool operator==(const AuditHead&) const = default;
};

class AuditLog {
 public:
  // Makes the folder and the log where there are none. What a crash left unfinished is cut; what does not
  // agree with audit.head is left as it stands, for verify. An entry of user "tidegate" tells of either.
  // kLocked, or the errors of the file system.
  static Result<std::unique_ptr<AuditLog>> open(Env env, const std::string& dir, AuditOptions options = {});
  ~AuditLog();

  // Durable when it returns. After an error the entry may or may not stand in the log; the next call first
  // finds out, and goes on behind it.
  Status write(const AuditEntry& entry);
  // Of the last line. Noted elsewhere (paper, another machine), it lets verify see more than the folder does.
  AuditHead head() const;

 private:
  struct Impl;
  explicit AuditLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct AuditFinding {
  enum class Kind : std::uint8_t { kEdited, kRemoved, kInserted, kReordered, kTruncated, kHead };
  Kind kind = Kind::kEdited;
  std::string file;            // name in the folder; empty: none in particular
  std::uint32_t line = 0;      // in that file, from 1
  std::uint64_t sequence = 0;  // 0: not known
  std::string text;            // "audit-...log:12: sequence 40: ..."
};
std::string_view audit_finding_name(AuditFinding::Kind kind);  // "edited" ...

struct AuditReport {
  std::uint64_t lines = 0;
  AuditHead last;  // of the last sound line
  std::vector<AuditFinding> findings;
  std::vector<std::string> notes;  // nothing wrong, but worth saying
  bool intact() const { return findings.empty(); }
};

// Reads everything again; also beside a daemon that writes. `noted`: a head noted elsewhere earlier, which
// must be in the log. kNotFound where there is no audit log.
Result<AuditReport> verify_audit_log(FileSystem& files, const std::string& dir,
                                     const std::optional<AuditHead>& noted = {});

}  // namespace tidegate
