// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/influx/body_reader.h"

#include <xxhash.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

namespace tidegate {
namespace {

constexpr std::uint64_t kFirstCapacity = 16 << 10;
constexpr int kGzipOnly = 15 + 16;  // window bits of inflateInit2: gzip wrapper required

// A text that takes credits for its capacity.
class BudgetedText {
 public:
  BudgetedText(MemoryBudget* budget, std::uint64_t limit) : budget_(budget), limit_(limit) {}

  // Makes room for `more` bytes behind size().
  Status reserve(std::uint64_t more) {
    const std::uint64_t wanted = size_ + more;
    if (wanted <= capacity_) return {};
    if (wanted > limit_)
      return make_error(ErrorCode::kTooLarge, "the body is larger than " + std::to_string(limit_) + " bytes");
    const std::uint64_t grown = std::min(limit_, std::max({wanted, capacity_ * 2, kFirstCapacity}));
    MemoryBudget::Lease lease = budget_->take(grown - capacity_);
    if (!lease)
      return make_error(ErrorCode::kOutOfMemoryBudget,
                        "bodies hold " + std::to_string(budget_->used()) + " bytes of memory already");
    auto bytes = std::make_unique_for_overwrite<char[]>(grown);
    if (size_ > 0) std::memcpy(bytes.get(), bytes_.get(), size_);
    bytes_ = std::move(bytes);
    capacity_ = grown;
    leases_.push_back(std::move(lease));
    return {};
  }
  char* end() { return bytes_.get() + size_; }
  std::uint64_t room() const { return capacity_ - size_; }
  std::uint64_t left() const { return limit_ - size_; }
  void grew(std::uint64_t by) { size_ += by; }
  std::string_view view() const { return {bytes_.get(), size_}; }
  void release() {
    bytes_.reset();
    leases_.clear();
    size_ = capacity_ = 0;
  }

 private:
  MemoryBudget* budget_;
  std::uint64_t limit_;
  std::unique_ptr<char[]> bytes_;
  std::uint64_t size_ = 0, capacity_ = 0;
  std::vector<MemoryBudget::Lease> leases_;
};

}  // namespace

struct BodyReader::Impl {
  Impl(MemoryBudget* budget, Limits given, bool is_gzip)
      : limits(given), text(budget, is_gzip ? given.decompressed : given.sent), gzip(is_gzip) {
    if (hash == nullptr || XXH3_128bits_reset(hash.get()) != XXH_OK) throw std::bad_alloc();
    if (gzip && inflateInit2(&stream, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Impl() {
    if (gzip) inflateEnd(&stream);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status inflate_piece(std::string_view piece);
  Status inflate_step();

  Limits limits;
  BudgetedText text;
  const bool gzip;
  bool member_open = true;  // of gzip: a header or data must still come
  z_stream stream{};
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash{XXH3_createState(), &XXH3_freeState};
  std::uint64_t sent = 0;
};

// One call of inflate(): takes input, makes output, or fails.
Status BodyReader::Impl::inflate_step() {
  // At the limit one byte outside of the text shows whether there is more.
  Bytef beyond = 0;
  const bool full = text.left() == 0;
  if (!full)
    TG_CHECK(text.reserve(std::min<std::uint64_t>(text.left(), std::max<std::uint64_t>(text.room(), 1))));
  const uInt room = full ? 1 : static_cast<uInt>(std::min<std::uint64_t>(text.room(), 1U << 30));
  stream.next_out = full ? &beyond : reinterpret_cast<Bytef*>(text.end());
  stream.avail_out = room;
  const int outcome = inflate(&stream, Z_NO_FLUSH);
  const uInt made = room - stream.avail_out;
  if (full && made > 0)
    return make_error(ErrorCode::kTooLarge,
                      "the body is larger than " + std::to_string(limits.decompressed) + " bytes after gzip");
  text.grew(made);
  if (outcome == Z_STREAM_END) {
    member_open = false;
  } else if (outcome != Z_OK && outcome != Z_BUF_ERROR) {
    return make_error(ErrorCode::kMalformed,
                      std::string("gzip: ") + (stream.msg != nullptr ? stream.msg : "invalid data"));
  }
  return {};
}

// Several members behind each other are one body (RFC 1952 2.2).
Status BodyReader::Impl::inflate_piece(std::string_view piece) {
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream.avail_in = static_cast<uInt>(piece.size());
  while (true) {
    if (!member_open) {
      if (stream.avail_in == 0) return {};
      inflateReset(&stream);
      member_open = true;
    }
    TG_CHECK(inflate_step());
    // Room left over means that inflate() has nothing more to give.
    if (member_open && stream.avail_in == 0 && stream.avail_out > 0) return {};
  }
}

BodyReader::BodyReader(MemoryBudget* budget, Limits limits, bool gzip)
    : impl_(std::make_unique<Impl>(budget, limits, gzip)) {}
BodyReader::~BodyReader() = default;
BodyReader::BodyReader(BodyReader&&) noexcept = default;
BodyReader& BodyReader::operator=(BodyReader&&) noexcept = default;

Status BodyReader::add(std::string_view piece) {
  if (piece.empty()) return {};
  if (piece.size() > impl_->limits.sent - impl_->sent)
    return make_error(ErrorCode::kTooLarge,
                      "the body is larger than " + std::to_string(impl_->limits.sent) + " bytes");
  impl_->sent += piece.size();
  XXH3_128bits_update(impl_->hash.get(), piece.data(), piece.size());
  if (impl_->gzip) return impl_->inflate_piece(piece);
  TG_CHECK(impl_->text.reserve(piece.size()));
  std::memcpy(impl_->text.end(), piece.data(), piece.size());
  impl_->text.grew(piece.size());
  return {};
}

Status BodyReader::finish() {
  if (impl_->gzip && impl_->member_open) return make_error(ErrorCode::kMalformed, "unexpected EOF");
  return {};
}

std::string_view BodyReader::text() const {
  return impl_->text.view();
}
std::uint64_t BodyReader::sent() const {
  return impl_->sent;
}
void BodyReader::release() {
  impl_->text.release();
}

Hash128 BodyReader::hash() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(impl_->hash.get()));
  Hash128 out;
  std::memcpy(out.bytes.data(), canonical.digest, out.bytes.size());
  return out;
}

}  // namespace tidegate
