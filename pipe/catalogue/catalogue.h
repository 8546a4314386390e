// SPDX-License-Identifier: Apache-2.0
// Catalogue: the definitions of a daemon, their copy beside the database, and what holds while the database
// cannot be read.
//
//   <dir>/catalogue.db     SQLite, the truth                       (folder of mode 0700: it holds passwords)
//   <dir>/catalogue.json   copy, replaced after each change; used only while the database cannot be read
//
// One control thread. Data never waits for it and never needs it: what pipes need is in snapshot(). Pages:
// doc/catalogue.md.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/env.h"
#include "pipe/catalogue/catalogue_store.h"

namespace tidegate {

class Catalogue {
 public:
  enum class Source : std::uint8_t {
    kDatabase,
    kCopy  // the database is locked, damaged or gone; message() says which and what to do
  };

  // Over SQLite in `dir`, which is made when it is not there.
  static Result<std::unique_ptr<Catalogue>> open(Env env, const std::string& dir);
  // Over another store; `dir` is for the copy. Neither database nor copy: an empty catalogue is made. The
  // database is gone (or empty) and the copy is there: it is made anew from the copy. It cannot be read: the
  // copy, and where there is none either, the error. kUnsupported (a newer version wrote it) is always an
  // error.
  static Result<std::unique_ptr<Catalogue>> open(Env env, const std::string& dir,
                                                 std::unique_ptr<CatalogueStore> store);

  Source source() const { return source_; }
  // What the operator must know, empty when all is well: why the copy is in use, or why it is behind.
  const std::string& message() const { return message_; }
  // As last known; valid until the next call that is not const.
  const CatalogueSnapshot& snapshot() const { return snapshot_; }
  std::string database_path() const { return store_->path(); }

  // Reads the database again, for instance after an operator's sqlite3 session. After an error snapshot()
  // stands as it was.
  Result<CatalogueSnapshot> load();
  // One transaction, durable when it returns; snapshot() is then what the database holds, also where another
  // session had changed it. After an error nothing has changed.
  Status apply(std::span<const CatalogueChange> changes);
  Status apply(const CatalogueChange& change) { return apply(std::span(&change, 1)); }
  // Makes a damaged database anew from snapshot() and keeps the damaged one beside it.
  Status rebuild();

 private:
  Catalogue(Env env, const std::string& dir, std::unique_ptr<CatalogueStore> store);
  Status start();
  Status start_without_database();
  void fall_back(CatalogueSnapshot copy, const Error& reason);
  Result<CatalogueSnapshot> read_copy();
  void adopt(CatalogueSnapshot content);
  void write_copy();

  Env env_;
  std::string copy_path_;
  std::unique_ptr<CatalogueStore> store_;
  CatalogueSnapshot snapshot_;
  std::string copied_;  // what the copy holds, as far as known; empty: nothing
  Source source_ = Source::kDatabase;
  std::string message_;
};

}  // namespace tidegate
