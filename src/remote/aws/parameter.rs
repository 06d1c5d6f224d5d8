//! Parameters of SSM.

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::ParameterType;

use crate::bake::port::PortError;

use super::patience::Call;

/// Sets one, of a data type where that is not plain text.
pub(in crate::remote) async fn put(
    client: &Client,
    call: &Call<'_>,
    name: &str,
    value: &str,
    data_type: Option<&str>,
) -> Result<(), PortError> {
    let sent = call.must(async || {
        let request = client.put_parameter().name(name).value(value).overwrite(true);
        request.r#type(ParameterType::String).set_data_type(data_type.map(str::to_owned)).send().await
    });
    sent.await.map(drop)
}

/// What one says; `None` where there is none.
pub(in crate::remote) async fn get(client: &Client, call: &Call<'_>, name: &str) -> Result<Option<String>, PortError> {
    match call.ask(async || client.get_parameter().name(name).send().await).await {
        Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
        Err(refused) if matches!(refused.code(), "ParameterNotFound" | "ParameterVersionNotFound") => Ok(None),
        Err(refused) => Err(call.named(refused)),
    }
}
