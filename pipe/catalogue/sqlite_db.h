// SPDX-License-Identifier: Apache-2.0
// SQLite 3 behind Result: one connection, and statements with bound parameters. One thread.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/env.h"

namespace tidegate::sqlite {

// The error of a result code: kLocked, kDamaged, kNoSpace, kInvalidArgument (a constraint) or kIo, with the
// file and what to do.
Error error_of(sqlite3* database, int code, const std::string& path, const std::string& doing);

class Query;

class Database {
 public:
  // An existing file, or with `create` a new one of mode 0600 (kAlreadyExists where there is one).
  static Result<Database> open(const std::string& path, bool create, Nanos busy_limit);

  // Statements that give no rows, one after the other.
  Status run(const std::string& sql, const std::string& doing);
  // `doing` completes "cannot ..." in error texts and must outlive the query.
  Result<Query> prepare(const char* sql, const char* doing);
  // The only value of the only row.
  Result<std::int64_t> number(const char* sql, const char* doing);
  Result<std::string> text(const char* sql, const char* doing);

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  std::unique_ptr<sqlite3, Close> database_;
  std::string path_;
};

class Query {
 public:
  // Bind the next parameter; the text is copied. An error shows at step().
  Query& bind(std::int64_t value);
  Query& bind(std::string_view value);
  Query& bind_null();
  // True: a row stands ready. False: done, and the query may be bound again from its first parameter.
  Result<bool> step();
  // step() of a statement without rows.
  Status run();

  std::int64_t number(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string text(int column) const;  // empty for NULL

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  void bound(int code);

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::string path_;
  const char* doing_ = "";
  int next_ = 1;
  int failed_ = SQLITE_OK;
};

}  // namespace tidegate::sqlite
