// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/sqlite_db.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tidegate::sqlite {
namespace {

struct Kind {
  ErrorCode code;
  const char* advice;
};

Kind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kLocked,
              "another process (a sqlite3 session?) holds a transaction in this file: definitions cannot "
              "change until it ends it or exits; data is not affected"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::kDamaged, "the file is damaged: have the catalogue rebuilt from its copy"};
    case SQLITE_FULL:
      return {ErrorCode::kNoSpace, "make room on this file system"};
    case SQLITE_CONSTRAINT:
      return {ErrorCode::kInvalidArgument, "the catalogue does not allow this value"};
    default:
      return {ErrorCode::kIo, "look at the file, its folder, their owner and mode"};
  }
}

// SQLite itself makes files that others may read.
Status create_private(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return Error(errno == EEXIST ? ErrorCode::kAlreadyExists : ErrorCode::kIo,
                 std::string("cannot create the file: ") + std::strerror(errno))
        .at_path(path);
  ::close(fd);
  return {};
}

}  // namespace

Error error_of(sqlite3* database, int code, const std::string& path, const std::string& doing) {
  const Kind kind = kind_of(code);
  const char* words = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  return Error(kind.code, "cannot " + doing + " (SQLite: " + words + "): " + kind.advice).at_path(path);
}

Result<Database> Database::open(const std::string& path, bool create, Nanos busy_limit) {
  if (create) TG_CHECK(create_private(path));
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database out;
  out.database_.reset(raw);
  out.path_ = path;
  if (code != SQLITE_OK) return error_of(raw, code, path, "open the catalogue");
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, static_cast<int>(busy_limit / kMillisecond));
  // The file may be edited by others: no trigger of theirs runs here. (Not TRUSTED_SCHEMA: SQLite 3.40 counts
  // the JSON functions of our own CHECK constraints as unsafe.)
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  return out;
}

Status Database::run(const std::string& sql, const std::string& doing) {
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(database_.get(), code, path_, doing);
  return {};
}

Result<Query> Database::prepare(const char* sql, const char* doing) {
  Query query;
  query.path_ = path_;
  query.doing_ = doing;
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql, -1, &raw, nullptr);
  if (code != SQLITE_OK) return error_of(database_.get(), code, path_, doing);
  query.statement_.reset(raw);
  return query;
}

Result<std::int64_t> Database::number(const char* sql, const char* doing) {
  TG_TRY(Query query, prepare(sql, doing));
  TG_TRY(const bool row, query.step());
  return row ? query.number(0) : 0;
}

Result<std::string> Database::text(const char* sql, const char* doing) {
  TG_TRY(Query query, prepare(sql, doing));
  TG_TRY(const bool row, query.step());
  return row ? query.text(0) : std::string();
}

void Query::bound(int code) {
  if (code != SQLITE_OK && failed_ == SQLITE_OK) failed_ = code;
  ++next_;
}

Query& Query::bind(std::int64_t value) {
  bound(sqlite3_bind_int64(statement_.get(), next_, value));
  return *this;
}

Query& Query::bind(std::string_view value) {
  // A null pointer would bind NULL.
  const char* data = value.data() == nullptr ? "" : value.data();
  bound(sqlite3_bind_text64(statement_.get(), next_, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Query& Query::bind_null() {
  bound(sqlite3_bind_null(statement_.get(), next_));
  return *this;
}

Result<bool> Query::step() {
  const int code = failed_ != SQLITE_OK ? failed_ : sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  Error error =
      code == SQLITE_DONE ? Error() : error_of(sqlite3_db_handle(statement_.get()), code, path_, doing_);
  sqlite3_reset(statement_.get());
  next_ = 1;
  failed_ = SQLITE_OK;
  if (code != SQLITE_DONE) return error;
  return false;
}

Status Query::run() {
  TG_CHECK(step());
  return {};
}

std::string Query::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string() : std::string(data, static_cast<std::size_t>(size));
}

}  // namespace tidegate::sqlite
