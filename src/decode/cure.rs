//! What the author of a firmware can do about a rejection.

use super::Code;
use crate::rule::Text;

impl Code {
    /// What to do about it, in one sentence.
    pub fn cure(self) -> Text {
        let (en, zh) = self.cures();
        Text { en: en.to_owned(), zh: zh.to_owned() }
    }

    fn cures(self) -> (&'static str, &'static str) {
        match self {
            Self::BadTopic => (
                "Publish to prefix/district/station/device/kind in lower case.",
                "请发布到 前缀/区/驿站/设备/类型,全部小写。",
            ),
            Self::UnknownKind => (
                "End the topic with telemetry, event, birth or status.",
                "主题最后一级请用 telemetry、event、birth 或 status。",
            ),
            Self::UnknownDevice => (
                "Add the device to its station's file, or mend the topic.",
                "请在驿站文件中登记该设备,或改正主题。",
            ),
            Self::NotYours => (
                "Publish under the device's own path, or connect under another client id.",
                "请用设备自己的路径发布,或更换客户端标识。",
            ),
            Self::TooLarge => ("Send smaller batches.", "请减小每批的大小。"),
            Self::TooMany => {
                ("Send at most 100 readings in one message.", "每条消息最多 100 个读数。")
            }
            Self::TooDeep => ("Send metrics as plain values.", "请把指标直接写成值,不要嵌套。"),
            Self::Empty => (
                "Send at least one metric, such as {\"temp_c\": 4.1}.",
                "请至少发送一个指标,例如 {\"temp_c\": 4.1}。",
            ),
            Self::NotJson => (
                "Send JSON in UTF-8, or CBOR; `found` says where reading stopped.",
                "请发送 UTF-8 编码的 JSON 或 CBOR;found 指出出错位置。",
            ),
            Self::NotAnObject => (
                "Wrap the values in an object: {\"temp_c\": 4.1}.",
                "请把值放进对象:{\"temp_c\": 4.1}。",
            ),
            Self::DoubledKey => (
                "Write each key once; nobody can tell which was meant.",
                "每个键只写一次,否则无法判断哪个有效。",
            ),
            Self::WrongType => (
                "Send numbers without quotes, states as true or false; leave out what was not measured.",
                "数字不加引号,状态用 true 或 false;未测量的请省略。",
            ),
            Self::BadValue => (
                "Send one of the values expected; leave out what was not measured.",
                "请发送允许的值;未测量的请省略。",
            ),
            Self::Implausible => {
                ("Check the sensor, its wiring and the unit.", "请检查传感器、接线和单位。")
            }
            Self::BadTime => (
                "Set the clock and send milliseconds, or leave `at` out.",
                "请校准时钟并以毫秒发送,或省略 at。",
            ),
            Self::Retained => (
                "Publish telemetry and events without the retain flag.",
                "发布 telemetry 和 event 时请不要设置保留标志。",
            ),
            Self::Personal => (
                "Never send what tells who a person is; count people instead.",
                "请勿发送个人身份信息,只发送计数。",
            ),
            Self::OverBudget => (
                "Send less often, or several readings in one message.",
                "请降低发送频率,或把多个读数合并为一条消息。",
            ),
        }
    }
}
