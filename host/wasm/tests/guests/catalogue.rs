//! The catalogue of malicious plugins, P1 to P34, and the tests that hold each: none is forgotten,
//! and none is named that is not there.

use std::path::Path;

/// Number, what the plugin does, and where it is tested: files under `host/`, and functions.
type Row = (
    u8,
    &'static str,
    &'static [(&'static str, &'static [&'static str])],
);

const RESOURCES: &str = "wasm/tests/guests/resources.rs";
const SEALED: &str = "wasm/tests/guests/sealed.rs";
const TREE: &str = "wasm/tests/guests/tree.rs";
const LOADING: &str = "wasm/tests/guests/loading.rs";
const ANSWERS: &str = "wasm/tests/guests/answers.rs";
const COMPILING: &str = "wasm/tests/guests/compiling.rs";
const BOMBS: &str = "wasm/tests/guests/bombs.rs";
const FAIRNESS: &str = "wasm/tests/guests/fairness.rs";
const CACHE: &str = "wasm/src/cache.rs";
const SENDING: &str = "notify/src/tests/sending.rs";
const DELIVERY: &str = "notify/src/tests/delivery.rs";
const FAULTS: &str = "source/tests/source/oci/faults.rs";
const PLUGINS: &str = "source/tests/source/oci/plugins.rs";
const KEYS: &str = "source/tests/source/oci/keys.rs";
const TENANCY: &str = "../tests/e2e/tenancy.rs";
const TRUST: &str = "../tests/e2e/trust.rs";
const INSTALLING: &str = "../tests/e2e/plugin.rs";

const ROWS: [Row; 34] = [
    (
        1,
        "loops",
        &[
            (RESOURCES, &["loops_end_at_the_deadline_wherever_they_are"]),
            (
                FAIRNESS,
                &[
                    "loops_of_many_plugins_leave_neighbours_their_place",
                    "a_slow_plugin_has_its_place_beside_a_loop",
                ],
            ),
        ],
    ),
    (
        2,
        "grows",
        &[
            (
                RESOURCES,
                &[
                    "memory_ends_at_its_limit",
                    "tables_end_at_their_limit",
                    "instances_memories_and_tables_are_counted",
                    "memory_that_is_too_large_from_the_start_is_refused",
                ],
            ),
            (LOADING, &["features_that_are_off_do_not_compile"]),
        ],
    ),
    (
        3,
        "recurses",
        &[(RESOURCES, &["recursion_traps_and_names_the_function"])],
    ),
    (
        4,
        "opens paths outside",
        &[
            (TREE, &["no_path_leads_out"]),
            (SEALED, &["there_are_no_files_to_write_to"]),
        ],
    ),
    (
        5,
        "follows links out",
        &[(TREE, &["links_that_lead_out_are_an_error"])],
    ),
    (
        6,
        "writes",
        &[(SEALED, &["there_are_no_files_to_write_to"])],
    ),
    (7, "opens sockets", &[(LOADING, &["network_does_not_link"])]),
    (
        8,
        "sends to inner addresses",
        &[
            (
                SENDING,
                &[
                    "inner_addresses_are_refused_unless_settings_allow_them",
                    "guests_cannot_send_elsewhere",
                ],
            ),
            (
                "notify/src/destination.rs",
                &["every_spelling_of_an_inner_address_is_refused"],
            ),
        ],
    ),
    (
        9,
        "rebinds names",
        &[(
            SENDING,
            &[
                "a_name_is_resolved_once_and_the_checked_address_connected_to",
                "one_inner_address_among_public_ones_refuses_the_name",
            ],
        )],
    ),
    (
        10,
        "redirects inwards",
        &[(
            SENDING,
            &[
                "redirects_inwards_and_with_credentials_are_refused",
                "three_redirects_are_followed_and_not_four",
                "redirects_to_another_origin_lose_what_is_private",
            ],
        )],
    ),
    (
        11,
        "floods output",
        &[(
            RESOURCES,
            &[
                "output_stops_at_its_limit_without_a_copy",
                "documents_are_counted",
                "a_document_ends_at_its_limit",
            ],
        )],
    ),
    (
        12,
        "dribbles output",
        &[
            (RESOURCES, &["loops_end_at_the_deadline_wherever_they_are"]),
            (SEALED, &["waiting_takes_no_time"]),
        ],
    ),
    (
        13,
        "nests lists",
        &[
            ("apply/src/parse.rs", &["lists_are_taken_apart"]),
            (
                TENANCY,
                &["what_a_renderer_returns_is_applied_with_the_rights_of_its_tenant"],
            ),
        ],
    ),
    (
        14,
        "forges owners",
        &[
            (
                "apply/src/metadata.rs",
                &["owner_labels_win_over_forged_and_common_ones"],
            ),
            (TENANCY, &["forged_owners_and_inventories_are_written_over"]),
        ],
    ),
    (
        15,
        "escalates by Flux objects",
        &[(
            TENANCY,
            &["objects_that_a_renderer_generates_obey_the_same_rules"],
        )],
    ),
    (
        16,
        "returns no UTF-8 or YAML",
        &[
            (
                ANSWERS,
                &[
                    "text_that_is_not_utf8_is_no_answer",
                    "any_text_passes_unread",
                ],
            ),
            ("api/src/yaml/mod.rs", &["mistakes_name_line_and_column"]),
        ],
    ),
    (
        17,
        "returns bombs of YAML",
        &[(
            "api/src/yaml/mod.rs",
            &["a_billion_laughs_are_refused", "nesting_is_limited"],
        )],
    ),
    (
        18,
        "prints secrets",
        &[
            (
                SEALED,
                &[
                    "a_flood_of_log_lines_is_dropped",
                    "standard_output_is_bounded_and_kept_for_the_trap",
                ],
            ),
            (
                "notify/src/scrub.rs",
                &["values_are_found_however_they_are_written"],
            ),
            (
                "wasm/tests/guests/transcript.rs",
                &["secrets_are_left_out_and_can_be_given_again"],
            ),
        ],
    ),
    (
        19,
        "carries secrets out",
        &[
            (
                DELIVERY,
                &["a_guest_gets_the_event_its_metadata_and_no_secret"],
            ),
            (
                "notify/src/secrets.rs",
                &["only_granted_names_are_given_and_the_address_always_is"],
            ),
        ],
    ),
    (
        20,
        "probes the machine",
        &[(
            SEALED,
            &["probes_of_chance_time_and_environment_are_the_same_in_100_runs"],
        )],
    ),
    (
        21,
        "makes refused memory a dice",
        &[(
            RESOURCES,
            &[
                "a_refused_growth_is_the_same_every_time",
                "fuel_gives_the_same_verdict_everywhere",
            ],
        )],
    ),
    (
        22,
        "traps after output",
        &[(
            ANSWERS,
            &[
                "output_before_a_trap_is_discarded",
                "to_exit_is_to_fail_whatever_the_status",
            ],
        )],
    ),
    (
        23,
        "keeps state",
        &[(
            ANSWERS,
            &[
                "nothing_survives_a_call",
                "nothing_of_another_call_is_in_memory",
            ],
        )],
    ),
    (
        24,
        "is a tampered blob",
        &[(
            FAULTS,
            &[
                "changed_bytes_are_refused",
                "other_sizes_than_the_descriptor_says_are_refused",
            ],
        )],
    ),
    (
        25,
        "moves its tag",
        &[(
            PLUGINS,
            &["a_moved_tag_changes_nothing_after_it_was_resolved"],
        )],
    ),
    (
        26,
        "is not signed",
        &[
            (
                KEYS,
                &[
                    "a_tampered_signature_does_not_count",
                    "a_registry_that_fails_while_verifying_is_trusted_with_nothing",
                ],
            ),
            (
                TRUST,
                &[
                    "an_image_signed_without_a_key_runs_for_its_identity_alone",
                    "what_was_verified_runs_without_the_registry",
                    "a_private_image_is_for_who_may_pull_it_however_well_it_is_known",
                ],
            ),
        ],
    ),
    (
        27,
        "is an index or an image",
        &[(
            PLUGINS,
            &[
                "an_index_is_told_apart_and_explained",
                "what_is_no_plugin_is_refused_before_it_is_downloaded",
            ],
        )],
    ),
    (
        28,
        "fits no world",
        &[
            (
                LOADING,
                &[
                    "a_component_without_our_exports_is_refused_with_what_it_has",
                    "an_import_of_nobody_is_named",
                    "versions_that_fit_run_and_others_are_named",
                ],
            ),
            (
                "wasm/src/inspect/tests.rs",
                &["what_is_missing_or_too_much_is_named"],
            ),
        ],
    ),
    (
        29,
        "is too large to compile",
        &[
            (
                COMPILING,
                &[
                    "a_component_ends_at_its_limit",
                    "a_child_has_a_memory_limit",
                    "a_child_has_a_processor_limit",
                ],
            ),
            (BOMBS, &["bombs_end_in_a_typed_error_that_is_remembered"]),
        ],
    ),
    (
        30,
        "is a compile bomb of 20 tenants",
        &[
            (
                BOMBS,
                &[
                    "what_is_compiled_never_waits_for_bombs",
                    "a_tenant_of_bombs_keeps_the_compiler_from_nobody",
                ],
            ),
            ("wasm/src/turns.rs", &["who_has_compiled_least_is_next"]),
        ],
    ),
    (
        31,
        "poisons the compiled cache",
        &[
            (COMPILING, &["a_changed_entry_is_compiled_again"]),
            (
                CACHE,
                &[
                    "a_changed_entry_is_removed",
                    "an_entry_under_another_name_is_removed",
                    "a_short_entry_is_removed",
                    "a_key_that_others_may_read_is_refused",
                    "every_flipped_bit_is_seen",
                ],
            ),
        ],
    ),
    (
        32,
        "is a decompression bomb",
        &[
            (
                PLUGINS,
                &[
                    "a_plugin_at_the_limit_passes_and_one_past_it_is_refused",
                    "what_is_no_plugin_is_refused_before_it_is_downloaded",
                ],
            ),
            (
                FAULTS,
                &["other_sizes_than_the_descriptor_says_are_refused"],
            ),
        ],
    ),
    (
        33,
        "floods its service",
        &[
            (DELIVERY, &["guests_that_never_end_are_stopped"]),
            (
                SENDING,
                &[
                    "answers_are_cut_and_echoed_secrets_taken_out",
                    "a_provider_s_budget_bounds_what_it_is_sent",
                ],
            ),
            ("notify/src/prepare.rs", &["sizes_are_limited_at_the_byte"]),
        ],
    ),
    (
        34,
        "changes its output",
        &[
            (
                "wasm/src/manifest/tests.rs",
                &["a_new_version_that_asks_for_more_says_what"],
            ),
            (ANSWERS, &["the_key_tells_calls_apart"]),
            (
                INSTALLING,
                &[
                    "what_a_new_version_leaves_out_is_kept_until_somebody_asks",
                    "a_tag_that_moves_runs_the_new_digest_and_says_so",
                ],
            ),
        ],
    ),
];

#[test]
fn every_row_is_held_by_tests_that_are_there() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (index, (number, what, places)) in ROWS.iter().enumerate() {
        assert_eq!(usize::from(*number), index + 1);
        assert!(!places.is_empty(), "P{number} {what}");
        for (file, functions) in *places {
            #[allow(
                clippy::disallowed_methods,
                reason = "a test reads the repository's files"
            )]
            let text = std::fs::read_to_string(host.join(file)).unwrap();
            for function in *functions {
                let is_there = text.contains(&format!("fn {function}("));
                assert!(is_there, "P{number} {what}: `{function}` is not in {file}");
            }
        }
    }
}
