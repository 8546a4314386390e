// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/audit_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <map>

#include "pipe/engine/json_text.h"
#include "protocol/influx/json_text.h"
#include "protocol/influx/text_scan.h"

namespace tidegate {
namespace {

constexpr std::size_t kMaxStatement = 64 << 10, kMaxText = 4 << 10;
constexpr std::uint64_t kMaxFile = 1 << 30;
constexpr std::string_view kPrefix = "audit-", kSuffix = ".log";
constexpr std::size_t kDigits = 20;

// ---- one line

struct Line {
  std::uint64_t sequence = 0;
  Sha256 prev{}, hash{};
  bool sound = false;  // its hash is that of its content
};

std::string hex(const Sha256& hash) {
  return to_hex(hash);
}

// Lower case only: a line has one form.
bool read_hash(std::string_view text, Sha256* out) {
  Bytes bytes;
  if (text.find_first_of("ABCDEF") != std::string_view::npos) return false;
  if (!from_hex(text, &bytes) || bytes.size() != out->size()) return false;
  std::copy(bytes.begin(), bytes.end(), out->begin());
  return true;
}

// {"seq":N, ... ,"prev":"<64 hex>","hash":"<64 hex>"} without the line end.
std::optional<Line> parse_line(std::string_view text) {
  constexpr std::string_view kStart = R"({"seq":)", kPrev = R"(,"prev":")", kHash = R"(,"hash":")";
  constexpr std::size_t kHashPart = kHash.size() + 64 + 2, kPrevPart = kPrev.size() + 64 + 1;
  if (text.size() < kStart.size() + kPrevPart + kHashPart || !text.starts_with(kStart) ||
      !text.ends_with("\"}"))
    return std::nullopt;
  const std::string_view hash_part = text.substr(text.size() - kHashPart);
  const std::string_view body = text.substr(0, text.size() - kHashPart);
  const std::string_view prev_part = body.substr(body.size() - kPrevPart);
  Line line;
  const auto number = std::from_chars(text.data() + kStart.size(), text.data() + text.size(), line.sequence);
  if (number.ec != std::errc() || *number.ptr != ',' || line.sequence == 0 || !hash_part.starts_with(kHash) ||
      !prev_part.starts_with(kPrev) || !prev_part.ends_with('"') ||
      !read_hash(hash_part.substr(kHash.size(), 64), &line.hash) ||
      !read_hash(prev_part.substr(kPrev.size(), 64), &line.prev))
    return std::nullopt;
  line.sound = sha256(as_bytes(body)) == line.hash;
  return line;
}

std::string utc_text(std::int64_t micros) {
  std::int64_t seconds = micros / 1'000'000, fraction = micros % 1'000'000;
  if (fraction < 0) --seconds, fraction += 1'000'000;
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(fraction));
  return out.data();
}

// The beginning, at most `limit` bytes and no half character; the whole is named by its size and hash.
std::string clip(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  std::size_t end = limit;
  if (influx::is_utf8(text))
    while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + " ... (" + std::to_string(text.size()) + " bytes, SHA-256 " +
         hex(sha256(as_bytes(text))) + ")";
}

std::string render(std::uint64_t sequence, std::int64_t micros, const AuditEntry& entry, const Sha256& prev,
                   Sha256* hash) {
  std::string out;
  JsonObject object(out);
  object.number("seq", sequence);
  object.text("time", utc_text(micros));
  object.bytes("user", entry.user);
  object.raw("uid", entry.uid ? std::to_string(*entry.uid) : "null");
  object.raw("pid", entry.pid ? std::to_string(*entry.pid) : "null");
  object.bytes("from", entry.from);
  object.bytes("statement", clip(entry.statement, kMaxStatement));
  object.text("result", entry.error ? error_name(*entry.error) : "ok");
  object.bytes("text", clip(entry.text, kMaxText));
  object.text("prev", hex(prev));
  *hash = sha256(as_bytes(out));
  object.text("hash", hex(*hash));
  object.end();
  return out + "\n";
}

// ---- the folder

std::string file_name(std::uint64_t first) {
  const std::string number = std::to_string(first);
  return std::string(kPrefix) + std::string(kDigits - number.size(), '0') + number + std::string(kSuffix);
}

Result<std::vector<std::string>> log_files(FileSystem& files, const std::string& dir) {
  TG_TRY(std::vector<std::string> names, files.list(dir));
  std::erase_if(names, [](const std::string& name) {
    return name.size() != kPrefix.size() + kDigits + kSuffix.size() || !name.starts_with(kPrefix) ||
           !name.ends_with(kSuffix) ||
           name.find_first_not_of("0123456789", kPrefix.size()) != kPrefix.size() + kDigits;
  });
  return names;
}

// What audit.head says: the last line, and where it ends.
struct StoredHead {
  AuditHead head;
  std::string file;
  std::uint64_t bytes = 0;
};

std::string head_path(const std::string& dir) {
  return dir + "/audit.head";
}

// Nothing when there is none or it cannot be read as one.
Result<std::optional<StoredHead>> read_head(FileSystem& files, const std::string& dir) {
  if (!files.exists(head_path(dir))) return std::optional<StoredHead>();
  TG_TRY(const Bytes content, read_file(files, head_path(dir), 1 << 16));
  const auto json = influx::parse_json(as_text(content));
  if (!json) return std::optional<StoredHead>();
  const auto number = [&](std::string_view name, std::uint64_t* out) {
    const influx::JsonValue* value = json->find(name);
    if (value == nullptr || value->kind != influx::JsonValue::Kind::kNumber) return false;
    const char* end = value->text.data() + value->text.size();
    const auto [at, error] = std::from_chars(value->text.data(), end, *out);
    return error == std::errc() && at == end;
  };
  StoredHead head;
  head.file = json->string("file");
  if (!number("seq", &head.head.sequence) || !number("bytes", &head.bytes) ||
      !read_hash(json->string("hash"), &head.head.hash))
    return std::optional<StoredHead>();
  return std::optional(head);
}

Status write_head(FileSystem& files, const std::string& dir, const StoredHead& head) {
  std::string out;
  JsonObject object(out);
  object.number("seq", head.head.sequence);
  object.text("hash", hex(head.head.hash));
  object.text("file", head.file);
  object.number("bytes", head.bytes);
  object.end();
  return replace_file(files, head_path(dir), as_bytes(out + "\n"));
}

}  // namespace

// ---- writing

struct AuditLog::Impl {
  Impl(Env env, std::string dir, AuditOptions options) : env_(env), dir_(std::move(dir)), options_(options) {}

  Status start() {
    TG_CHECK(env_.files->make_dirs(dir_));
    TG_TRY(lock_, env_.files->lock(dir_ + "/audit.lock"));
    return recover();
  }

  Status write(const AuditEntry& entry) {
    if (broken_) TG_CHECK(recover());
    return append(entry);
  }

  StoredHead at;  // the last line; `bytes` is also where the next one goes

 private:
  std::string path() const { return dir_ + "/" + at.file; }

  Status append(const AuditEntry& entry) {
    StoredHead next = at;
    next.head.sequence = at.head.sequence + 1;
    std::string line =
        render(next.head.sequence, env_.clock->wall_micros(), entry, at.head.hash, &next.head.hash);
    if (separate_) line.insert(0, "\n");
    const bool full = at.bytes > 0 && at.bytes + line.size() > options_.max_file_bytes;
    // What has to be cut or set apart is in the present file.
    if (full && !cut_ && !separate_) {
      next.file = file_name(next.head.sequence);
      next.bytes = 0;
      file_.reset();
    }
    broken_ = true;
    TG_CHECK(put(next, line));
    next.bytes += line.size();
    at = next;
    TG_CHECK(write_head(*env_.files, dir_, at));
    broken_ = cut_ = separate_ = false;
    return {};
  }

  Status put(const StoredHead& where, const std::string& line) {
    if (!file_) {
      TG_TRY(file_, env_.files->open(dir_ + "/" + where.file, OpenMode::kOpenOrCreate));
      TG_CHECK(env_.files->sync_dir(dir_));
    }
    TG_CHECK(file_->write_at(where.bytes, as_bytes(line)));
    if (cut_) TG_CHECK(file_->truncate(where.bytes + line.size()));
    return file_->sync();
  }

  // Finds where the log ends. Used at the start and after a failed write, when nobody knows what is on the
  // disk. Its notes are entries.
  Status recover() {
    file_.reset();
    cut_ = separate_ = false;
    broken_ = true;
    TG_TRY(const std::vector<std::string> names, log_files(*env_.files, dir_));
    TG_TRY(const std::optional<StoredHead> head, read_head(*env_.files, dir_));
    std::vector<std::string> notes;
    TG_TRY(const bool agrees, follow_head(names, head, &notes));
    if (!agrees) TG_CHECK(disagree(names, head, &notes));
    broken_ = false;
    for (const std::string& note : notes)
      TG_CHECK(append(
          {"tidegate", std::nullopt, std::nullopt, "audit log", "(opening the log)", std::nullopt, note}));
    return {};
  }

  // The usual case: audit.head and the files agree but for one line at most. False: they do not.
  Result<bool> follow_head(const std::vector<std::string>& names, const std::optional<StoredHead>& head,
                           std::vector<std::string>* notes) {
    if (names.empty() && (!head || head->head.sequence == 0)) {
      at = {{}, file_name(1), 0};
      TG_CHECK(write_head(*env_.files, dir_, at));
      return true;
    }
    if (!head || names.empty()) return false;
    at = *head;
    const std::string& newest = names.back();
    Bytes content;
    if (std::find(names.begin(), names.end(), head->file) != names.end()) {
      TG_TRY(content, read_file(*env_.files, path(), kMaxFile));
    } else if (head->bytes > 0) {
      return false;
    }
    if (!ends_with_head(as_text(content), *head)) return false;
    if (newest != head->file) {
      // A crash came between making the next file and its first line being told to audit.head.
      if (newest != file_name(head->head.sequence + 1) || content.size() != head->bytes) return false;
      at.file = newest;
      at.bytes = 0;
      TG_TRY(content, read_file(*env_.files, path(), kMaxFile));
    }
    TG_CHECK(adopt_tail(as_text(content), notes));
    return true;
  }

  static bool ends_with_head(std::string_view content, const StoredHead& head) {
    if (content.size() < head.bytes) return false;
    if (head.bytes == 0) return true;
    content = content.substr(0, head.bytes);
    if (!content.ends_with('\n')) return false;
    content.remove_suffix(1);
    const std::size_t before = content.rfind('\n');
    const auto line = parse_line(before == std::string_view::npos ? content : content.substr(before + 1));
    return line && line->sound && line->sequence == head.head.sequence && line->hash == head.head.hash;
  }

  // What stands behind the last line that audit.head knows: whole lines are taken over, the rest is cut.
  Status adopt_tail(std::string_view content, std::vector<std::string>* notes) {
    const std::uint64_t from = at.bytes;
    std::uint64_t lines = 0;
    for (;;) {
      const std::size_t end = content.find('\n', at.bytes);
      if (end == std::string_view::npos) break;
      const auto line = parse_line(content.substr(at.bytes, end - at.bytes));
      if (!line || !line->sound || line->sequence != at.head.sequence + 1 || line->prev != at.head.hash)
        break;
      at.head = {line->sequence, line->hash};
      at.bytes = end + 1;
      ++lines;
    }
    if (lines > 0) TG_CHECK(write_again(content.substr(from, at.bytes - from), from));
    // One write was in flight at most, and each line has been told to audit.head before the next began.
    if (lines > 1)
      notes->push_back("audit.head was " + std::to_string(lines) + " lines behind the log: it was set back");
    const std::string_view rest = content.substr(at.bytes);
    if (rest.empty()) return {};
    if (rest.find('\n') >= rest.size() - 1) {
      cut_ = true;
      notes->push_back("cut " + std::to_string(rest.size()) +
                       " bytes of a line that a crash or a full disk left unfinished");
    } else {
      keep_what_stands(content);
      notes->push_back("behind the last line that audit.head knows there are " + std::to_string(rest.size()) +
                       " bytes that are no lines of this log; they are left as they are");
    }
    return {};
  }

  // After a failed sync a line may read well and yet never reach the disk: only writing it again makes sure.
  Status write_again(std::string_view lines, std::uint64_t offset) {
    TG_TRY(auto file, env_.files->open(path(), OpenMode::kReadWrite));
    TG_CHECK(file->write_at(offset, as_bytes(lines)));
    TG_CHECK(file->sync());
    TG_CHECK(env_.files->sync_dir(dir_));
    return write_head(*env_.files, dir_, at);
  }

  void keep_what_stands(std::string_view content) {
    at.bytes = content.size();
    separate_ = !content.empty() && !content.ends_with('\n');
  }

  // Somebody changed files, or a disk lost what it had promised. Nothing is touched, the sequence never goes
  // back, and the next line stands behind everything: verify finds the hole for ever.
  Status disagree(const std::vector<std::string>& names, const std::optional<StoredHead>& head,
                  std::vector<std::string>* notes) {
    AuditHead last;
    for (auto name = names.rbegin(); name != names.rend() && last.sequence == 0; ++name) {
      TG_TRY(const Bytes content, read_file(*env_.files, dir_ + "/" + *name, kMaxFile));
      last = last_sound_line(as_text(content));
    }
    notes->push_back(
        std::string(head ? "audit.head says the last line is " + std::to_string(head->head.sequence)
                         : "audit.head is missing or unreadable") +
        ", the files end with line " + std::to_string(last.sequence) +
        ", and they do not belong together: lines were removed or changed; see tidegate audit verify");
    at.head = head && head->head.sequence >= last.sequence ? head->head : last;
    at.file = names.empty() ? file_name(at.head.sequence + 1) : names.back();
    at.bytes = 0;
    if (names.empty()) return {};
    TG_TRY(const Bytes content, read_file(*env_.files, path(), kMaxFile));
    keep_what_stands(as_text(content));
    return {};
  }

  static AuditHead last_sound_line(std::string_view content) {
    AuditHead last;
    while (!content.empty()) {
      const std::string_view text = content.substr(0, content.find('\n'));
      content.remove_prefix(std::min(text.size() + 1, content.size()));
      const auto line = parse_line(text);
      if (line && line->sound && line->sequence > last.sequence) last = {line->sequence, line->hash};
    }
    return last;
  }

  const Env env_;
  const std::string dir_;
  const AuditOptions options_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<File> file_;  // at.file, once it has been written to
  bool broken_ = false;         // what is on the disk is not known
  bool cut_ = false;            // the next line takes the place of what stands behind at.bytes
  bool separate_ = false;       // the next line begins with a line end: what is in front of it has none
};

AuditLog::AuditLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AuditLog::~AuditLog() = default;

Result<std::unique_ptr<AuditLog>> AuditLog::open(Env env, const std::string& dir, AuditOptions options) {
  auto impl = std::make_unique<Impl>(env, dir, options);
  TG_CHECK(impl->start());
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(impl)));
}

Status AuditLog::write(const AuditEntry& entry) {
  return impl_->write(entry);
}

AuditHead AuditLog::head() const {
  return impl_->at.head;
}

// ---- verifying

namespace {

using Kind = AuditFinding::Kind;

class Verifier {
 public:
  Verifier(std::optional<AuditHead> head, std::optional<AuditHead> noted) : head_(head), noted_(noted) {}

  AuditReport report;

  void file(const std::string& name, std::string_view content, bool newest) {
    file_ = name;
    line_ = 0;
    while (!content.empty()) {
      const std::size_t end = content.find('\n');
      const std::string_view text = content.substr(0, end);
      content.remove_prefix(std::min(text.size() + 1, content.size()));
      ++line_;
      line(text, newest && content.empty());
    }
  }

  // `head_now`: read after the files, because a daemon may have written meanwhile.
  void finish(const std::optional<AuditHead>& head_now) {
    for (const auto& [from, gap] : missing_)
      found(Kind::kRemoved, gap.file, gap.line, from,
            "in front of this line " + range(from, gap.to) + " missing");
    if (!head_) {
      found(Kind::kHead, "audit.head", 0, 0,
            "it is missing or unreadable: whether lines are missing at the end cannot be told");
    } else {
      expect(*head_, head_hash_, "audit.head");
    }
    if (noted_) expect(*noted_, noted_hash_, "the head that was noted elsewhere");
    const std::uint64_t known = head_now ? head_now->sequence : 0;
    if (head_ && report.last.sequence > known + 1)
      found(Kind::kInserted, file_, line_, report.last.sequence,
            "the log goes on behind sequence " + std::to_string(known) + ", the last that audit.head knows");
  }

 private:
  struct Gap {
    std::uint64_t to = 0;
    std::string file;
    std::uint32_t line = 0;
  };

  static std::string range(std::uint64_t from, std::uint64_t to) {
    if (from == to) return "sequence " + std::to_string(from) + " is";
    return "sequences " + std::to_string(from) + " to " + std::to_string(to) + " are";
  }

  void found(Kind kind, const std::string& file, std::uint32_t line, std::uint64_t sequence,
             const std::string& what) {
    std::string text = file;
    if (line > 0) text += ":" + std::to_string(line);
    if (!text.empty()) text += ": ";
    if (sequence > 0) text += "sequence " + std::to_string(sequence) + ": ";
    report.findings.push_back({kind, file, line, sequence, text + what});
  }
  void here(Kind kind, std::uint64_t sequence, const std::string& what) {
    found(kind, file_, line_, sequence, what);
  }

  void line(std::string_view text, bool at_end) {
    const auto parsed = parse_line(text);
    if (parsed && parsed->sound) return sound(*parsed);
    if (at_end && head_ && next_ > head_->sequence) {
      report.notes.push_back(file_ + ": the last line is unfinished: a crash, or a write that goes on");
      return;
    }
    here(Kind::kEdited, parsed ? parsed->sequence : 0,
         parsed ? "the content does not agree with its hash" : "this is no line of an audit log");
    // It stands for the line that was expected here.
    if (!parsed || parsed->sequence == next_) {
      ++next_;
      prev_ = parsed ? std::optional(parsed->hash) : std::nullopt;
    }
  }

  void sound(const Line& line) {
    ++report.lines;
    if (line.sequence < next_) return out_of_order(line.sequence);
    if (line.sequence > next_) {
      missing_[next_] = {line.sequence - 1, file_, line_};
    } else if (prev_ && *prev_ != line.prev) {
      here(Kind::kEdited, line.sequence,
           "it does not follow the line before it: one of the two was written anew, with its hash");
    }
    next_ = line.sequence + 1;
    prev_ = line.hash;
    report.last = {line.sequence, line.hash};
    if (head_ && head_->sequence == line.sequence) head_hash_ = line.hash;
    if (noted_ && noted_->sequence == line.sequence) noted_hash_ = line.hash;
  }

  void out_of_order(std::uint64_t sequence) {
    auto gap = missing_.upper_bound(sequence);
    if (gap == missing_.begin() || std::prev(gap)->second.to < sequence)
      return here(Kind::kInserted, sequence, "a line of this sequence stood here before");
    --gap;
    here(Kind::kReordered, sequence, "it stands behind lines that came after it");
    const auto [from, whole] = *gap;
    missing_.erase(gap);
    if (from < sequence) missing_[from] = {sequence - 1, whole.file, whole.line};
    if (sequence < whole.to) missing_[sequence + 1] = whole;
  }

  void expect(const AuditHead& head, const std::optional<Sha256>& seen, const std::string& whose) {
    if (head.sequence == 0 || (seen && *seen == head.hash)) return;
    if (head.sequence >= next_) {
      found(Kind::kTruncated, "", 0, 0,
            "the log ends with sequence " + std::to_string(next_ - 1) + ", but " + whose + " knows " +
                std::to_string(head.sequence));
    } else if (seen) {
      found(Kind::kEdited, "", 0, head.sequence, whose + " has another hash for it: it was written anew");
    } else {
      found(Kind::kHead, "", 0, head.sequence, whose + " knows it, but it is not sound or not in its place");
    }
  }

  const std::optional<AuditHead> head_, noted_;
  std::optional<Sha256> head_hash_, noted_hash_;
  std::string file_;
  std::uint32_t line_ = 0;
  std::uint64_t next_ = 1;
  std::optional<Sha256> prev_ = Sha256{};  // of the line expected next; nothing: not known
  std::map<std::uint64_t, Gap> missing_;   // by first sequence
};

std::optional<AuditHead> head_of(const std::optional<StoredHead>& stored) {
  return stored ? std::optional(stored->head) : std::nullopt;
}

}  // namespace

std::string_view audit_finding_name(AuditFinding::Kind kind) {
  constexpr std::array<std::string_view, 6> kNames{"edited",    "removed",   "inserted",
                                                   "reordered", "truncated", "head"};
  return kNames[static_cast<std::size_t>(kind)];
}

Result<AuditReport> verify_audit_log(FileSystem& files, const std::string& dir,
                                     const std::optional<AuditHead>& noted) {
  // In this order: a daemon that writes meanwhile only adds lines, and then moves the head.
  TG_TRY(const std::optional<StoredHead> before, read_head(files, dir));
  TG_TRY(const std::vector<std::string> names, log_files(files, dir));
  if (names.empty() && !files.exists(head_path(dir)))
    return Error(ErrorCode::kNotFound, "there is no audit log in this folder").at_path(dir);
  Verifier verifier(head_of(before), noted);
  for (const std::string& name : names) {
    TG_TRY(const Bytes content, read_file(files, dir + "/" + name, kMaxFile));
    verifier.file(name, as_text(content), name == names.back());
  }
  TG_TRY(const std::optional<StoredHead> after, read_head(files, dir));
  verifier.finish(head_of(after));
  return std::move(verifier.report);
}

}  // namespace tidegate
