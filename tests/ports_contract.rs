//! One contract for each port, run against every adapter of it.

#[cfg(feature = "azure")]
pub mod azurite;
#[cfg(feature = "azure")]
mod blob_rights;
mod blobs;
#[cfg(feature = "azure")]
pub mod cosmos;
mod crash;
mod documents;
mod embedded;
#[cfg(feature = "azure")]
mod entra;
#[cfg(feature = "azure")]
mod key_vault;
mod logs;
mod queues;
mod smtp;
mod vault;
mod worlds;

/// Makes one test of each named contract for a world, with an attribute.
macro_rules! contract {
    ($room:ident, $world:ident, $attribute:tt, [$($name:ident),* $(,)?]) => {
        mod $world {
            $(
                # $attribute
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$room::$name(&super::worlds::$world().await).await;
                }
            )*
        }
    };
}

/// The same list for the embedded parts and for what stands for Azure's.
macro_rules! contracts {
    ($module:ident, $room:ident, $azure:ident, $attribute:tt, $names:tt) => {
        mod $module {
            use super::{worlds, $room};
            contract!($room, embedded, [cfg(all())], $names);
            #[cfg(feature = "azure")]
            contract!($room, $azure, $attribute, $names);
        }
    };
}

contracts!(
    on_documents,
    documents,
    cosmos,
    [cfg(all())],
    [
        what_was_created_is_read_back,
        an_unknown_document_is_absent,
        a_second_create_is_a_conflict,
        a_replace_needs_the_stored_version,
        a_delete_needs_the_stored_version,
        a_purge_needs_the_stored_version_and_leaves_nothing,
        a_replace_of_an_absent_document_is_a_conflict,
        one_conflict_undoes_the_whole_commit,
        etags_come_in_the_order_of_the_writes,
        a_commit_over_a_limit_is_refused,
        a_name_of_the_wrong_shape_is_refused,
        the_largest_commit_is_taken,
        a_commit_of_a_hundred_writes_is_taken,
        a_scan_runs_over_any_slot_in_both_orders,
        a_scan_takes_its_start_and_leaves_its_end,
        a_scan_of_a_prefix_finds_no_more,
        a_scan_sees_only_keys_of_now,
        a_scan_goes_over_many_pages,
        an_expired_document_reads_as_absent,
        an_expired_document_makes_room_for_a_create,
        a_deleted_document_makes_room_for_a_create,
        a_create_over_remains_is_still_atomic,
        a_live_document_is_not_taken_for_remains,
        changes_come_from_the_beginning,
        changes_go_on_from_a_watermark,
        changes_come_in_parts,
        a_deletion_is_told,
        an_expired_document_is_no_change,
        a_foreign_watermark_is_refused,
        due_documents_of_all_partitions_come_most_overdue_first,
        partitions_never_see_each_other,
        of_many_replaces_at_once_one_wins,
        of_many_creates_at_once_one_wins,
    ]
);

contracts!(
    on_blobs,
    blobs,
    azurite,
    [ignore = "scripts/test --servers runs it"],
    [
        what_was_put_is_read_back,
        a_second_put_leaves_the_first,
        what_was_put_in_pieces_is_read_back,
        a_second_put_in_pieces_leaves_the_first,
        nothing_is_seen_of_pieces_that_break_off,
        pieces_are_not_in_memory_all_at_once,
        a_range_reads_the_part_that_exists,
        names_are_listed_in_order_and_by_page,
        a_deleted_blob_is_absent_at_once,
        a_deleted_name_can_be_put_again,
        a_name_of_the_wrong_shape_is_refused,
        containers_never_see_each_other,
        of_many_puts_at_once_one_creates,
    ]
);

contracts!(
    on_queues,
    queues,
    azurite,
    [ignore = "scripts/test --servers runs it"],
    [
        a_message_is_leased_as_it_was_sent,
        a_leased_message_is_hidden_and_comes_back,
        a_delayed_message_waits,
        a_deleted_message_never_comes_back,
        a_lost_lease_does_not_settle,
        an_extended_lease_is_hidden_longer,
        an_extension_of_zero_gives_the_message_back,
        a_lease_takes_no_more_than_it_asked_for,
        no_message_is_leased_twice_at_once,
        queues_never_see_each_other,
        a_message_over_the_limit_is_refused,
    ]
);

contracts!(
    on_vault,
    vault,
    key_vault,
    [cfg(all())],
    [
        what_was_wrapped_opens,
        a_changed_or_foreign_wrapping_is_refused,
        no_wrapping_is_like_another,
        too_many_bytes_are_refused,
        an_unknown_secret_is_absent,
        a_secret_is_read_by_its_version,
        a_rotated_key_wraps_anew_and_opens_what_it_wrapped_before,
        a_key_is_made_once,
    ]
);
