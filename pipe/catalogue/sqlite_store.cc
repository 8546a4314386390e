// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <optional>

#include "base/real_env.h"
#include "pipe/catalogue/catalogue_store.h"
#include "pipe/catalogue/sqlite_db.h"
#include "pipe/catalogue/sqlite_rows.h"
#include "pipe/catalogue/sqlite_schema.h"

namespace tidegate {
namespace {

using sqlite::Database;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

class SqliteStore final : public CatalogueStore {
 public:
  SqliteStore(std::string path, Nanos busy_limit) : path_(std::move(path)), busy_limit_(busy_limit) {}

  std::string path() const override { return path_; }

  bool exists() override { return look().size > 0; }

  Result<CatalogueSnapshot> load() override {
    TG_TRY(Database * db, connection());
    return in_transaction(*db, "BEGIN", [&]() { return sqlite::read_rows(*db, path_); });
  }

  Result<CatalogueSnapshot> apply(std::span<const CatalogueChange> changes) override {
    TG_TRY(Database * db, connection());
    return in_transaction(*db, "BEGIN IMMEDIATE", [&]() -> Result<CatalogueSnapshot> {
      TG_TRY(const CatalogueSnapshot before, sqlite::read_rows(*db, path_));
      CatalogueSnapshot after = before;
      TG_CHECK(apply_changes(after, changes));
      TG_CHECK(sqlite::write_rows(*db, before, after));
      return after;
    });
  }

  Status rebuild(const CatalogueSnapshot& content, std::int64_t now_micros) override {
    TG_CHECK(check_rebuildable());
    database_.reset();
    TG_CHECK(create(path_ + ".new", content));
    const std::string aside = path_ + ".damaged-" + std::to_string(now_micros);
    // The log of the old file must not be taken for one of the new.
    for (const std::string suffix : {"-wal", "-shm", ""})
      if (files().exists(path_ + suffix)) TG_CHECK(files().rename(path_ + suffix, aside + suffix));
    TG_CHECK(files().rename(path_ + ".new", path_));
    return files().sync_dir(folder_of(path_));
  }

 private:
  // Which file stands under the path.
  struct Seen {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
  };

  static FileSystem& files() { return *real_env().files; }

  Seen look() const {
    struct stat info{};
    if (::stat(path_.c_str(), &info) != 0) return {};
    return {info.st_dev, info.st_ino, info.st_size};
  }

  // A file that is complete before it gets its name: a half-made catalogue is never seen.
  Status create(const std::string& path, const CatalogueSnapshot& content) {
    for (const std::string suffix : {"", "-journal", "-wal", "-shm"})
      if (files().exists(path + suffix)) TG_CHECK(files().remove(path + suffix));
    TG_TRY(Database db, Database::open(path, true, busy_limit_));
    TG_CHECK(db.run("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; BEGIN", "create the catalogue"));
    TG_CHECK(db.run(sqlite::kSchema, "create the catalogue"));
    TG_CHECK(db.run("PRAGMA application_id = " + std::to_string(sqlite::kApplicationId) +
                        "; PRAGMA user_version = " + std::to_string(sqlite::kSchemaVersion),
                    "create the catalogue"));
    TG_CHECK(sqlite::write_rows(db, {}, content));
    return db.run("COMMIT", "create the catalogue");
  }

  // Opens and checks once; after an error the next call tries again.
  Result<Database*> connection() {
    const Seen now = look();
    // A file that was removed or replaced under us would still take what we write.
    if (database_ && now.device == opened_.device && now.inode == opened_.inode) return &*database_;
    database_.reset();
    if (now.size == 0) return Error(ErrorCode::kNotFound, "there is no catalogue").at_path(path_);
    TG_TRY(Database db, Database::open(path_, false, busy_limit_));
    TG_CHECK(check_version(db));
    TG_CHECK(
        db.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; "
               "PRAGMA cell_size_check = ON",
               "open the catalogue"));
    TG_TRY(const std::string verdict, db.text("PRAGMA integrity_check(1)", "check the catalogue"));
    if (verdict != "ok")
      return Error(ErrorCode::kDamaged,
                   "SQLite finds: " + verdict + "; have the catalogue rebuilt from its copy")
          .at_path(path_);
    database_ = std::move(db);
    opened_ = now;
    return &*database_;
  }

  Status check_version(Database& db) {
    TG_TRY(const std::int64_t id, db.number("PRAGMA application_id", "open the catalogue"));
    TG_TRY(const std::int64_t version, db.number("PRAGMA user_version", "open the catalogue"));
    if (id != sqlite::kApplicationId || version < 1)
      return Error(ErrorCode::kDamaged, "this SQLite file is not a catalogue of Tidegate").at_path(path_);
    if (version > sqlite::kSchemaVersion)
      return Error(ErrorCode::kUnsupported, "this catalogue was written by a newer version (schema " +
                                                std::to_string(version) + "; this program knows " +
                                                std::to_string(sqlite::kSchemaVersion) +
                                                "): install that version again")
          .at_path(path_);
    return {};
  }

  template <class Act>
  Result<CatalogueSnapshot> in_transaction(Database& db, const char* begin, const Act& act) {
    TG_CHECK(db.run(begin, "change the catalogue"));
    Result<CatalogueSnapshot> result = act();
    if (result.ok()) {
      Status done = db.run("COMMIT", "change the catalogue");
      if (done.ok()) return result;
      result = std::move(done).error();
    }
    // An error may have rolled back by itself. Where damage or the device is behind it, look afresh next
    // time.
    const bool rolled_back = db.run("ROLLBACK", "roll back").ok();
    const ErrorCode code = result.error().code;
    if (!rolled_back || code == ErrorCode::kDamaged || code == ErrorCode::kIo) database_.reset();
    return result;
  }

  const std::string path_;
  const Nanos busy_limit_;
  std::optional<Database> database_;
  Seen opened_;
};

}  // namespace

std::unique_ptr<CatalogueStore> make_sqlite_store(std::string path, Nanos busy_limit) {
  return std::make_unique<SqliteStore>(std::move(path), busy_limit);
}

}  // namespace tidegate
