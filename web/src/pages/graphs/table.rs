use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::{data::Data, reading};
use crate::{graphs::Quantity, i18n::Words, text};

/// More would be a list that nobody reads.
const ROWS: usize = 60;

/// The same figures, for those who do not see a line.
#[component]
pub(super) fn Table(data: Data) -> impl IntoView {
    let open = RwSignal::new(false);
    let toggle = move |event: web_sys::Event| {
        let is_open = event
            .target()
            .is_some_and(|target| target.unchecked_ref::<web_sys::Element>().has_attribute("open"));
        open.set(is_open);
    };
    view! {
        <details class="chart-table" on:toggle=toggle>
            <summary>{text::graphs_table}</summary>
            <Show when=move || open.get()>
                <Rows data />
            </Show>
        </details>
    }
}

#[component]
fn Rows(data: Data) -> impl IntoView {
    // What a column is called: two of them are "In" without what.
    let columns = move || -> Vec<(Words, Option<Words>, Quantity)> {
        data.plans()
            .into_iter()
            .flat_map(|plan| {
                plan.of
                    .iter()
                    .map(move |of| (plan.title, (plan.of.len() > 1).then(|| of.words()), *of))
            })
            .collect()
    };
    let name = |title: Words, part: Option<Words>| match part {
        Some(part) => text::graph_value(title(), part()),
        None => title().to_owned(),
    };
    view! {
        <div class="table-box" role="region" aria-label=text::graphs_table tabindex="0">
            <table role="table">
                <thead role="rowgroup">
                    <tr role="row">
                        <th scope="col" role="columnheader">{text::graphs_time}</th>
                        {move || columns().into_iter().map(|(title, part, _)| view! {
                            <th scope="col" role="columnheader">{move || name(title, part)}</th>
                        }).collect_view()}
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    {move || {
                        let columns = columns();
                        let range = data.range.get();
                        data.series.with(|series| {
                            series
                                .thinned(ROWS)
                                .map(|sample| {
                                    let cells = columns
                                        .iter()
                                        .map(|(title, part, of)| {
                                            let value = of.of(&sample.mean).map(|v| of.unit().say(v));
                                            view! {
                                                <td role="cell" class="figures" data-label=name(*title, *part)>
                                                    {value.unwrap_or_else(|| "-".to_owned())}
                                                </td>
                                            }
                                        })
                                        .collect_view();
                                    view! {
                                        <tr role="row">
                                            <th scope="row" role="rowheader" class="figures">
                                                {reading::moment(range, sample.at)}
                                            </th>
                                            {cells}
                                        </tr>
                                    }
                                })
                                .collect_view()
                        })
                    }}
                </tbody>
            </table>
        </div>
    }
}
