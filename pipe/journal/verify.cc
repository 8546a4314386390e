// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/verify.h"

#include <algorithm>

#include "pipe/journal/journal_impl.h"
#include "pipe/model/container.h"

namespace tidegate {

using namespace journal_format;

namespace {

constexpr std::uint64_t kDecodeLimit = 1ULL << 30;

class SegmentCheck {
 public:
  SegmentCheck(const VerifySegment& segment, File& file, bool hash,
               const std::function<bool(const DamagedRange&)>& problem)
      : segment_(segment),
        scanner_(file, segment.seed, kSegmentHeaderSize, segment.end),
        hash_(hash),
        problem_(problem),
        expected_(segment.name.first_lsn) {}

  Result<bool> run() {
    for (;;) {
      TG_TRY(const std::optional<ScanItem> item, scanner_.next());
      if (!item) break;
      if (!item->good) {
        if (reason_.empty()) reason_ = item->reason + " (byte " + std::to_string(item->offset) + ")";
        if (item->has_header && !tell_up_to(item->header.next_lsn())) return false;
        continue;
      }
      if ((!reason_.empty() || item->header.first_lsn > expected_) && !tell_up_to(item->header.first_lsn))
        return false;
      if (!item->header.is(RecordKind::kBatches)) continue;
      TG_TRY(const std::string wrong, hash_ ? wrong_content(*item) : std::string());
      if (!wrong.empty() &&
          !problem_({item->header.first_lsn, item->header.next_lsn() - 1, segment_.path, "", wrong}))
        return false;
      expected_ = std::max(expected_, item->header.next_lsn());
    }
    return (reason_.empty() && expected_ > segment_.last_lsn) || tell_up_to(segment_.last_lsn + 1);
  }

 private:
  bool tell_up_to(Lsn next) {
    const DamagedRange range{expected_, next - 1, segment_.path, "",
                             reason_.empty() ? "records are missing" : reason_};
    reason_.clear();
    expected_ = std::max(expected_, next);
    return problem_(range);
  }

  // What is wrong with the batches of a record whose checksums are right; empty: nothing.
  Result<std::string> wrong_content(const ScanItem& item) {
    TG_TRY(const Bytes bytes, scanner_.meta(item));
    const auto meta = decode_batches_meta(item.header, bytes);
    if (!meta.ok()) return meta.error().text();
    TG_TRY(const Bytes container, scanner_.payload(item));
    const auto decoded = decode_container(meta->codec, meta->decoded_size, container, kDecodeLimit);
    if (!decoded.ok()) return "the container cannot be decoded: " + decoded.error().text();
    if (decoded->batches.size() != meta->hashes.size())
      return std::string("the container holds another number of batches");
    for (std::size_t i = 0; i < meta->hashes.size(); ++i) {
      if (xxh3_128(decoded->batches[i]) != meta->hashes[i])
        return "the content hash of batch " + std::to_string(i) + " of the container is wrong";
    }
    return std::string();
  }

  const VerifySegment& segment_;
  SegmentScanner scanner_;
  bool hash_;
  const std::function<bool(const DamagedRange&)>& problem_;
  Lsn expected_;
  std::string reason_;  // of damage that is not yet told
};

Result<bool> verify_header(File& file, const VerifySegment& segment,
                           const std::function<bool(const DamagedRange&)>& problem) {
  Bytes head(kSegmentHeaderSize);
  TG_TRY(const std::size_t got, file.read_at(0, head));
  const auto header = decode_segment_header(ByteView(head).first(got));
  if (header.ok() && header->number == segment.name.number && header->first_lsn == segment.name.first_lsn)
    return true;
  const std::string what =
      header.ok() ? "the segment header names another segment than the file name" : header.error().text();
  return problem({segment.name.first_lsn, segment.name.first_lsn - 1, segment.path, "", what});
}

}  // namespace

Result<bool> verify_segment(FileSystem& files, const VerifySegment& segment, bool hash,
                            const std::function<bool(const DamagedRange&)>& problem) {
  TG_TRY(const auto file, files.open(segment.path, OpenMode::kRead));
  TG_TRY(const bool go_on, verify_header(*file, segment, problem));
  if (!go_on) return false;
  return SegmentCheck(segment, *file, hash, problem).run();
}

void Journal::Impl::remember(const DamagedRange& range) const {
  const std::lock_guard guard(mutex);
  const auto same = [&](const DamagedRange& d) {
    return d.first == range.first && d.last == range.last && d.segment == range.segment;
  };
  if (std::none_of(damaged.begin(), damaged.end(), same)) damaged.push_back(range);
}

Status Journal::Impl::verify(bool hash, const std::function<bool(const DamagedRange&)>& problem,
                             const std::function<bool()>& between) const {
  const auto tell = [&](const DamagedRange& range) {
    remember(range);
    return problem(range);
  };
  std::uint64_t next_number = 0;
  for (;;) {
    VerifySegment segment;
    std::size_t index = 0;
    {
      const std::lock_guard guard(mutex);
      const std::vector<SegmentEntry>& all = folder.segments();
      while (index < all.size() && all[index].name.number < next_number) ++index;
      if (index == all.size()) return {};
      const bool is_last = index + 1 == all.size();
      const auto end = is_last ? Result<std::uint64_t>(durable_bytes) : folder.end_of(index);
      segment.name = all[index].name;
      segment.path = folder.path(segment.name);
      segment.seed = folder.seed(segment.name);
      segment.end = end.ok() ? *end : all[index].bytes;
      segment.last_lsn = is_last ? durable : all[index + 1].name.first_lsn - 1;
    }
    next_number = segment.name.number + 1;
    const auto go_on = verify_segment(*env.files, segment, hash, tell);
    if (!go_on.ok() && go_on.error().code == ErrorCode::kNotFound) continue;  // trimmed meanwhile
    if (!go_on.ok()) return go_on.error();
    if (!*go_on || !between()) return {};
  }
}

}  // namespace tidegate
