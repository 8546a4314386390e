// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/outbox.h"

#include "pipe/engine/outbox_format.h"

namespace tidegate {

Bytes encode_snapshot(const OutboxSnapshot& snapshot) {
  Bytes out;
  ByteWriter writer(out);
  writer.u32(outbox_format::kMagic);
  writer.u8(outbox_format::kVersion);
  for (int i = 0; i < 3; ++i) writer.u8(0);
  writer.u64(snapshot.number);
  writer.u64(snapshot.position);
  writer.u64(snapshot.outbox_lsn);
  writer.bytes32(snapshot.pipe_state);
  writer.u64(snapshot.processor_key);
  writer.bytes32(snapshot.processor_state);
  writer.bytes(xxh3_128(out).view());
  return out;
}

Result<OutboxSnapshot> decode_snapshot(ByteView bytes) {
  if (bytes.size() < outbox_format::kLeastBytes)
    return make_error(ErrorCode::kTruncated,
                      "a snapshot of an outbox with " + std::to_string(bytes.size()) + " bytes");
  ByteReader reader(bytes);
  if (reader.u32() != outbox_format::kMagic)
    return make_error(ErrorCode::kMalformed, "this is no snapshot of an outbox");
  if (const std::uint8_t version = reader.u8(); version != outbox_format::kVersion)
    return make_error(ErrorCode::kUnsupported,
                      "a snapshot of version " + std::to_string(version) + ", known is 1");
  const ByteView content = bytes.first(bytes.size() - outbox_format::kHashBytes);
  const Hash128 hash = xxh3_128(content);
  if (!std::ranges::equal(hash.view(), bytes.last(outbox_format::kHashBytes)))
    return make_error(ErrorCode::kChecksum, "a snapshot of an outbox");
  for (int i = 0; i < 3; ++i) (void)reader.u8();
  OutboxSnapshot out;
  out.number = reader.u64();
  out.position = reader.u64();
  out.outbox_lsn = reader.u64();
  out.pipe_state = to_bytes(reader.bytes32());
  out.processor_key = reader.u64();
  out.processor_state = to_bytes(reader.bytes32());
  if (!reader.ok() || reader.rest().size() != outbox_format::kHashBytes)
    return make_error(ErrorCode::kMalformed, "a snapshot of an outbox whose lengths do not fit");
  return out;
}

Result<std::unique_ptr<Outbox>> Outbox::open(Env env, const std::string& directory, JournalOptions journal) {
  TG_CHECK(env.files->make_dirs(directory));
  auto out = std::unique_ptr<Outbox>(new Outbox(env, directory));
  journal.directory = directory + "/" + std::string(outbox_format::kJournalFolder);
  TG_TRY(out->journal_, Journal::open(env, std::move(journal), &out->state_));
  return out;
}

Status Outbox::remove(FileSystem& files, const std::string& directory) {
  if (!files.exists(directory)) return {};
  const std::string journal = directory + "/" + std::string(outbox_format::kJournalFolder);
  for (const std::string& folder : {journal, directory}) {
    if (!files.exists(folder)) continue;
    TG_TRY(const std::vector<std::string> names, files.list(folder));
    for (const std::string& name : names) TG_CHECK(files.remove(folder + "/" + name));
  }
  TG_CHECK(files.remove(directory));
  return files.sync_dir(directory.substr(0, directory.rfind('/')));
}

Result<std::optional<OutboxSnapshot>> Outbox::load() {
  std::optional<OutboxSnapshot> newest;
  std::optional<Error> trouble;
  for (const std::string_view name : outbox_format::kFiles) {
    const std::string path = directory_ + "/" + std::string(name);
    if (!env_.files->exists(path)) continue;
    TG_TRY(const Bytes bytes, read_file(*env_.files, path, outbox_format::kLargest));
    auto snapshot = decode_snapshot(bytes);
    if (!snapshot.ok()) {
      trouble = std::move(snapshot).error().at_path(path);
    } else if (!newest || newest->number < snapshot->number) {
      newest = std::move(*snapshot);
    }
  }
  if (newest) {
    // The process that wrote it may have died before its name was durable: nothing rests on it before it is.
    TG_CHECK(env_.files->sync_dir(directory_));
    number_ = newest->number;
    return newest;
  }
  if (trouble && trouble->code == ErrorCode::kUnsupported) return *std::move(trouble);
  if (journal_->head() != 0)
    return make_error(ErrorCode::kDamaged, "the outbox holds batches up to LSN " +
                                               std::to_string(journal_->head()) +
                                               " but no snapshot of its processors can be read (" +
                                               (trouble ? trouble->text() : std::string("there is none")) +
                                               "): drop the pipe and create it again")
        .at_path(directory_);
  return newest;
}

Status Outbox::save(OutboxSnapshot snapshot) {
  snapshot.number = ++number_;
  const std::string_view name = outbox_format::kFiles[number_ % 2];
  return replace_file(*env_.files, directory_ + "/" + std::string(name), encode_snapshot(snapshot));
}

}  // namespace tidegate
